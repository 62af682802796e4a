import { formatBytes } from '../measure/format.ts'
import type { CacheFacts, CacheImport, CacheSearch } from './cache-facts.ts'
import { code, prose, table } from './markdown.ts'
import { mountSentences } from './cache-mounts-lines.ts'
import type { SummaryData } from './summary-data.ts'
import { count, formatDuration, list, shortRef } from './words.ts'

/** The summary's section about the layer cache: what each target could use, why not more, and what it cost. */

const MAX_ROWS = 50

/** Undefined where the run had no layer cache, or nothing was built. */
export function layerCache(data: SummaryData): string | undefined {
  const { cache } = data
  if (cache === undefined || data.targets.length === 0) return undefined
  // What was not built asked nothing of it.
  const targets = data.targets.filter(({ status }) => status !== 'unchanged')
  const rows = targets.slice(0, MAX_ROWS).map((target) => {
    const imports = cache.imports.get(target.name) ?? []
    const { steps } = target
    const cached = steps === undefined ? '–' : `${steps.cached} of ${steps.run + steps.cached}`
    return [code(target.name, 60), used(imports, cache), cached]
  })
  const more = targets.length - rows.length
  const columns = [{ title: 'Target' }, { title: 'Cache used' }, { title: 'Steps from cache', align: 'right' }] as const
  return [
    '#### Layer cache',
    ...(rows.length === 0
      ? []
      : [table(columns, rows) + (more === 0 ? '' : `\n\n${count(more, 'more target')} left out.`)]),
    [...sentences(cache), ...mountSentences(cache)].map((sentence) => `- ${sentence}`).join('\n'),
  ].join('\n\n')
}

function used(imports: readonly CacheImport[], cache: CacheFacts): string {
  if (imports.length === 0) return 'none'
  // What a failed build left stands beside what the one before it did: one cache to the reader.
  const distinct = new Map<string, CacheImport>()
  for (const found of imports) {
    const key = `${found.ref} ${found.createdAt}`
    if ((distinct.get(key)?.layers ?? 0) < found.layers) distinct.set(key, found)
  }
  return list(
    [...distinct.values()].map(({ ref, createdAt, layers }) => {
      const age = formatDuration(Math.max(0, cache.now - createdAt))
      return `${code(shortRef(ref), 80)}, ${age} old, ${count(layers, 'layer')}`
    }),
    3,
  )
}

function* sentences(cache: CacheFacts): Generator<string> {
  for (const search of cache.searches) {
    const sentence = searched(search)
    if (sentence !== undefined) yield sentence
  }
  const proxied = cache.bytesProxied === 0 ? '' : `; ${formatBytes(cache.bytesProxied)} of base images passed on`
  yield cache.packsFetched === 0
    ? `Nothing was fetched from ${place(cache)}${proxied}.`
    : `Fetched ${formatBytes(cache.bytesFetched)} in ${count(cache.packsFetched, 'entry', 'entries')} from ${place(cache)}${proxied}.`
  if (!cache.writes) yield 'This run only reads the cache.'
  else if (cache.bytesSaved === undefined) yield 'Nothing new to save.'
  else {
    const when = cache.savedLater ? 'The post step saves' : 'Saved'
    yield `${when} ${formatBytes(cache.bytesSaved)} of new layers.`
  }
  if (cache.gone > 0)
    yield `${count(cache.gone, 'entry', 'entries')} had been evicted; ${cache.gone === 1 ? 'its' : 'their'} layers were not used.`
  if (cache.failed > 0) yield `${count(cache.failed, 'entry', 'entries')} could not be fetched.`
  if (cache.damaged > 0)
    yield `${count(cache.damaged, 'layer')} did not have the bytes of ${cache.damaged === 1 ? 'its' : 'their'} digest and ${cache.damaged === 1 ? 'was' : 'were'} not used.`
  if (cache.bytesDropped > 0)
    yield `${formatBytes(cache.bytesDropped)} of layers were left out, since the cache would be larger than \`cache-max-size\`.`
  if (cache.trouble !== undefined) yield `Trouble: ${prose(cache.trouble)}.`
}

/** Why an index was not used; nothing where it was. */
function searched({ source, ref, outcome, reason }: CacheSearch): string | undefined {
  const whose = { own: 'this branch', base: 'the base branch', default: 'the default branch' }[source]
  const name = `${whose} (${code(shortRef(ref), 80)})`
  if (outcome === 'found') return undefined
  if (outcome === 'none') return `No cache of ${name} yet.`
  const why = prose(reason ?? 'no reason given')
  return outcome === 'failed'
    ? `The cache of ${name} could not be read: ${why}.`
    : `The cache of ${name} is not used: ${why}.`
}

function place(cache: CacheFacts): string {
  return cache.backend === 'github' ? 'GitHub’s cache service' : 'the cache directory'
}
