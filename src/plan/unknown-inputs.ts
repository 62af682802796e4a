/** What of a stage's inputs cannot be known beforehand, in words. Pure. */
import { isGitSource } from '../graph/git-source.ts'
import type { StageStep } from '../graph/stage-graph.ts'
import type { PrintedSource } from './stage-print.ts'

export interface UnknownInput {
  readonly line: number
  /** A clause that begins in small letters. */
  readonly text: string
}

/** The sources without a digest; stages tell their own. */
export function unknownSources(line: number, sources: readonly PrintedSource[]): readonly UnknownInput[] {
  const unknown = sources.filter(({ kind, digest }) => digest === undefined && kind !== 'stage')
  return unknown.map((source) => ({ line, text: unknownText(source) }))
}

/** What an ADD fetches that may change unnoticed. */
export function unknownRemotes({ line, remotes }: StageStep): readonly UnknownInput[] {
  const unknown = remotes.filter(({ source, checksum }) => !isPinned(source, checksum))
  return unknown.map(({ source }) => ({ line, text: `${source} has no checksum, so it may change unnoticed` }))
}

/** With a checksum, and Git references by a whole commit, always the same is fetched. */
function isPinned(source: string, checksum: string | undefined): boolean {
  if (checksum !== undefined) return true
  return isGitSource(source) && /#[0-9a-f]{40}(?:[0-9a-f]{24})?(?::|$)/.test(source)
}

function unknownText({ kind, name }: PrintedSource): string {
  if (kind === 'image')
    return name.includes('@') ? `what ${name} sets is not known` : `the digest of ${name} is not known`
  return name === ''
    ? 'the files of the build context could not be read'
    : `the content of the build context ${name} is not known beforehand`
}
