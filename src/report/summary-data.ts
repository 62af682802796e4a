import type { Problem } from '../errors.ts'
import type { StageGraph } from '../graph/stage-graph.ts'
import type { CacheFacts } from './cache-facts.ts'
import type { Missing } from './missing.ts'

/**
 * What the job summary is made from. Types only: `run.ts` fills them from plan, build and measurement, `summary.ts`
 * turns them into Markdown. Everything that is a string here may come from a Dockerfile, an image or a pull request
 * and is untrusted; the renderers escape it.
 */

/** `skipped`: asked for, but not built since another target failed or the run was cancelled. */
export type TargetStatus = 'built' | 'failed' | 'unchanged' | 'skipped'

/** What a size counts: bytes of the layer blobs as a registry keeps them, or file bytes after unpacking. */
export type SizeMetric = 'transfer' | 'unpacked'

/** Sizes in bytes. Undefined means unknown: it is shown as such and never as 0. */
export interface SizeSplit {
  readonly total: number | undefined
  /** Layers that this Dockerfile added. */
  readonly own: number | undefined
  /** Layers of the external image that the target is based on. */
  readonly inherited: number | undefined
}

/** One platform of one target. */
export interface PlatformReport {
  /** Normalised: `linux/amd64`. */
  readonly platform: string
  /** Digest of this platform's manifest. */
  readonly digest?: string | undefined
  readonly transfer: SizeSplit
  readonly unpacked: SizeSplit
  /** One sentence: why a size is unknown. Expected wherever one is. */
  readonly unknownReason?: string | undefined
}

/** A stage that a target used without being based on it: what multi-stage left behind. */
export interface StageLeftBehind {
  readonly stage: number
  /** Undefined where the stage has none: then it is called `stage 0`. */
  readonly name: string | undefined
  /** 1-based line of its FROM. */
  readonly line: number
  /** Its base as the Dockerfile names it. */
  readonly baseImage: string | undefined
  readonly metric: SizeMetric
  /** Size of everything in the stage, its base included, in bytes. */
  readonly size: number | undefined
  /** The size is an estimate. */
  readonly approximate: boolean
  /** The platform that the stage was measured for; default: the target's first. */
  readonly platform?: string | undefined
}

export interface TargetReport {
  readonly name: string
  /** Index of the target's stage in the graph. */
  readonly stage: number | undefined
  readonly status: TargetStatus
  readonly tags: readonly string[]
  /** Digest of what was built: an index where there are several platforms. */
  readonly digest: string | undefined
  readonly platforms: readonly PlatformReport[]
  /** From the first step's start to the last one's end, in milliseconds. */
  readonly durationMs: number | undefined
  readonly steps: { readonly run: number; readonly cached: number } | undefined
  readonly leftBehind: readonly StageLeftBehind[]
  /** Why it is built; empty where it is not. */
  readonly reasons: readonly ReasonReport[]
  /** Of an unchanged one: since which build; a clause. */
  readonly since: string | undefined
}

export interface ReasonReport {
  readonly text: string
  /** The stage through which it came. */
  readonly stage: string | undefined
  /** Its Dockerfile, where there are several. */
  readonly file?: string
  readonly line: number | undefined
}

export interface ExternalImage {
  /** The normalised reference that the Dockerfile names. */
  readonly image: string
  /** Undefined where it could not be resolved. */
  readonly digest: string | undefined
  /** What `external-images` puts in its place. */
  readonly mapped: string | undefined
  /** The digest that was built on last, where that was another. */
  readonly before?: string | undefined
}

/** One step of the build. Times are milliseconds since the build's start. */
export interface TimelineEntry {
  readonly label: string
  /** Display name of the stage (`builder`, `stage 0`), or of what else was at work (`exporting`). */
  readonly stage: string
  /** Undefined where several targets share the step. */
  readonly target: string | undefined
  readonly startMs: number
  readonly endMs: number
  readonly cached: boolean
}

export interface Failure {
  readonly problem: Problem
  readonly target?: string | undefined
  /** The last lines that the failing step printed, oldest first. */
  readonly lastLines: readonly string[]
}

export interface SummaryData {
  /** What was built, to tell several steps of a job apart: the identity's `id`. */
  readonly title: string
  /** The Dockerfile and the context, as given. */
  readonly file: string
  readonly context: string
  /** In the order in which they were asked for. */
  readonly targets: readonly TargetReport[]
  /** The whole step, in milliseconds. */
  readonly durationMs: number | undefined
  /** Undefined where the Dockerfile could not be read. */
  readonly graph: StageGraph | undefined
  /** Indexes of stages that two or more requested targets need. */
  readonly sharedStages: readonly number[]
  readonly externalImages: readonly ExternalImage[]
  readonly timeline: readonly TimelineEntry[]
  /** Undefined where the run had no layer cache. */
  readonly cache?: CacheFacts | undefined
  /** What cannot be told or done with this builder. */
  readonly missing?: readonly Missing[]
  /** Sizes beside those of the baseline, as Markdown; undefined where nothing is compared. */
  readonly sizeReport?: string | undefined
  /** Plain sentences. */
  readonly notes: readonly string[]
  readonly warnings: readonly Problem[]
  readonly failures: readonly Failure[]
}

/** So much of a stage is shown in the timeline. */
export const MAX_STAGE = 24

/**
 * What a stage is called in every report: its name, or `stage 3`; where there may be several files, `api/Dockerfile:7`.
 * @param longest of a path, so much is shown; its end tells more than its beginning
 */
export function stageName(
  stage: {
    readonly name: string | null | undefined
    readonly index: number
    readonly file?: string
    readonly line?: number
  },
  longest = Infinity,
): string {
  const { name, index, file, line } = stage
  if (name !== null && name !== undefined) return name
  if (file === undefined) return `stage ${index}`
  const place = `${file}:${line ?? '?'}`
  return place.length <= longest ? place : `…${place.slice(place.length - longest + 1)}`
}
