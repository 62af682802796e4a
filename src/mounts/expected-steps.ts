/**
 * Which RUN steps a build will have to run, as far as the records of earlier builds tell: one whose whole past equals a
 * recorded one comes from the cache. To expect too much costs seconds, so what is not known is expected to run. Pure.
 */
import { digestOf, type StagePrint } from '../plan/stage-print.ts'
import type { StepPlace } from './mount-uses.ts'

export interface ExpectationQuestion {
  /** Of this run's targets, for every platform. */
  readonly prints: readonly StagePrint[]
  /** Of earlier builds whose layers this run may use. */
  readonly recorded: readonly StagePrint[]
  /** Names of stages that are to be run again; `all`: every stage. */
  readonly noCache: ReadonlySet<string> | 'all'
}

/** Whether a step is expected to run. */
export function expectedToRun({ prints, recorded, noCache }: ExpectationQuestion): (place: StepPlace) => boolean {
  const known = new Set(recorded.flatMap((print) => [...pastOf(print).values()]))
  const cached = new Map<string, boolean>()
  for (const print of prints) {
    const isForced = noCache === 'all' || noCache.has(print.name ?? '')
    const past = pastOf(print)
    for (const { line } of print.steps) {
      const digest = past.get(line)
      const name = `${print.index}:${line}`
      const isCached = !isForced && digest !== undefined && known.has(digest)
      // On several platforms it is the same mount.
      cached.set(name, isCached && cached.get(name) !== false)
    }
  }
  return ({ stage, line }) => cached.get(`${stage}:${line}`) !== true
}

/** By line, all that the result of a step depends on; not of steps where that cannot be known beforehand. */
function pastOf({ base, platform, options, steps, files }: StagePrint): ReadonlyMap<number, string> {
  const past = new Map<number, string>()
  if (base.digest === undefined || files === undefined) return past
  let digest = digestOf([base.kind, base.digest, platform, options.map(({ name, value }) => [name, value])])
  for (const { line, words, settings, sources } of steps) {
    if (words === '') continue
    if (sources.some((source) => source.digest === undefined)) return past
    digest = digestOf([
      digest,
      words,
      settings.map(({ name, value }) => [name, value]),
      sources.map((source) => [source.kind, source.digest]),
    ])
    past.set(line, digest)
  }
  return past
}
