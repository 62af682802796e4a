import { formatBytes } from '../measure/format.ts'
import type { CacheFacts, MountFacts } from './cache-facts.ts'
import { code } from './markdown.ts'
import { count, formatDuration, shortRef } from './words.ts'

/** What the summary tells of cache mounts: a sentence each. */

const MAX_LINES = 12

export function mountSentences({ mounts, now }: CacheFacts): readonly string[] {
  // Where nothing ran there is nothing to tell.
  const told = mounts.filter(({ putIn, takenOut }) => typeof putIn === 'object' || takenOut !== 'not-run')
  const more = told.length - MAX_LINES
  return [
    ...told
      .slice(0, MAX_LINES)
      .map((mount) => `Cache mount ${code(mount.id, 80)}: ${putIn(mount, now)}; ${takenOut(mount)}.`),
    ...(more > 0 ? [`${count(more, 'more cache mount')}.`] : []),
  ]
}

function putIn({ putIn: what }: MountFacts, now: number): string {
  if (what === 'none') return 'there was nothing to put in'
  if (what === 'cached') return 'nothing was put in, since its step was expected from the cache'
  const age = formatDuration(Math.max(0, now - what.savedAt))
  return `${formatBytes(what.bytes)} of ${code(shortRef(what.ref), 80)} were put in, ${age} old`
}

function takenOut({ takenOut: what }: MountFacts): string {
  if (what === 'not-run') return 'its step did not run, so nothing was taken out'
  if (what === 'not-written') return 'nothing was taken out'
  if (what === 'unchanged') return 'the build left it as it is saved'
  if (what === 'empty') return 'the build left it empty'
  if ('tooLarge' in what)
    return `its ${formatBytes(what.tooLarge)} are over \`cache-mounts-max-size\` and were not saved`
  return `${formatBytes(what.bytes)} taken out`
}
