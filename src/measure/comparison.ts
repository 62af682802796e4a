/**
 * What a size report says, as data: each target and platform beside its baseline. Made by `compare-sizes.ts`, shown by
 * `report/size-report.ts`. Bytes everywhere; undefined means unknown, never 0.
 */
import type { PlatformSizes } from './sizes.ts'

/** A figure now and in the baseline. */
export interface Change {
  readonly now: number | undefined
  readonly before: number | undefined
}

export interface SizeReport {
  readonly rows: readonly SizeRowComparison[]
  /** Targets that were to be measured and of which nothing was handed over. */
  readonly missing: readonly string[]
  readonly baseline: BaselineFacts
}

/** Where the figures that are compared with come from. */
export interface BaselineFacts {
  /** The commit that a comparison should be with: the base of the pull request. */
  readonly wanted: string | undefined
  /** Short name of the base branch; untrusted. */
  readonly branch: string | undefined
  /** The commit that was compared with. */
  readonly commit: string | undefined
  readonly source: 'input' | 'exact' | 'ancestor' | 'registry' | 'none'
  /** First-parent commits between `commit` and `wanted`; undefined where it is not known. */
  readonly distance: number | undefined
  /** The run that measured it. */
  readonly url?: string | undefined
}

export type RowStatus = 'compared' | 'added' | 'removed' | 'no-baseline' | 'failed'

/** One target on one platform. Names are untrusted. */
export interface SizeRowComparison {
  /** Identity: `id`, target, platform. */
  readonly id: string
  readonly target: string
  readonly platform: string
  readonly status: RowStatus
  /** The target was called so in the baseline, and is otherwise the same. */
  readonly renamedFrom?: string | undefined
  readonly transfer: Change
  readonly unpacked: Change
  readonly own: { readonly transfer: Change; readonly unpacked: Change }
  readonly inherited: { readonly transfer: Change; readonly unpacked: Change }
  /** Bytes that a later layer overwrites or removes: layers − merged root file system. */
  readonly waste: Change
  /**
   * Sentences: why figures stand side by side without being comparable (compression, platform). No relative budget is held
   * against such a transfer; an absolute one needs no baseline.
   */
  readonly notComparable: readonly string[]
  /** |Δ| is under the noise floor in transfer and unpacked. */
  readonly unchanged: boolean
  /** What changed, the largest change first. */
  readonly layers: readonly LayerChange[]
  /** The smallest set of directories that explains 90 % of the change in own unpacked bytes, the largest first. */
  readonly paths: readonly PathChange[]
  readonly packages: readonly PackageChange[]
  readonly base: BaseChange | undefined
  readonly budgets: readonly BudgetVerdict[]
  /** Of a failed target: what went wrong, in a sentence. */
  readonly failure?: string | undefined
  readonly current: PlatformSizes | undefined
}

export interface LayerChange {
  readonly kind: 'added' | 'removed' | 'changed'
  readonly transfer: Change
  readonly unpacked: Change
  /** The instruction as written in the Dockerfile, or as the image's history tells it. */
  readonly instruction: string
  /** 1-based, of the Dockerfile `file` (POSIX, from the repository's root) at the head commit. */
  readonly line: number | undefined
  readonly file: string | undefined
}

export interface PathChange {
  /** From the root without a leading slash; a directory ends in `/`. */
  readonly path: string
  readonly now: number
  readonly before: number
}

export interface PackageChange {
  readonly manager: 'apk' | 'dpkg' | 'npm'
  readonly name: string
  /** Undefined: not installed. */
  readonly version: string | undefined
  readonly versionBefore: string | undefined
  /** Unpacked bytes of the files it owns in own layers. */
  readonly now: number
  readonly before: number
}

export interface BaseChange {
  readonly image: string
  readonly imageBefore: string | undefined
  readonly digest: string | undefined
  readonly digestBefore: string | undefined
}

export interface BudgetVerdict {
  /** As given: `prod=160MB`. */
  readonly budget: string
  readonly metric: 'transfer' | 'unpacked'
  /** Bytes that the size may have; of a relative budget that the baseline allows. */
  readonly limit: number | undefined
  readonly actual: number | undefined
  /**
   * `over-before`: the baseline was over already and it did not get worse: a warning. `waived`: over, and a label allows
   * it. `skipped`: the size is not known, or there is no baseline for a relative one, or none that it can be compared with.
   */
  readonly verdict: 'held' | 'over' | 'over-before' | 'waived' | 'skipped'
  /** The Dockerfile (POSIX, from the repository's root) and the 1-based line of the target's FROM, for the annotation. */
  readonly file?: string | undefined
  readonly line?: number | undefined
}

export interface PackageSize {
  readonly manager: 'apk' | 'dpkg' | 'npm'
  readonly name: string
  readonly version: string
  readonly bytes: number
}
