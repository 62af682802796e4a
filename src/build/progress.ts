/**
 * The model of a running build: what every step is, where it stands in the Dockerfile, which targets need it, and how
 * it went. Fed with progress events; bounded memory (the last lines of each step's output). Prints nothing.
 *
 * Where several targets are built, buildx reports a shared step once per target, under the same digest, each with a
 * clock of its own; the views are merged here.
 */
import { outputLines, shownText, type OutputLines } from './output-text.ts'
import type { ProgressEvents, StatusEvent, VertexEvent, WarningEvent } from './rawjson.ts'
import { locate, type Location, type SourceLines, type StageLayout } from './stage-layout.ts'
import { readVertexName, type VertexName } from './vertex-name.ts'

export type StepStatus = 'waiting' | 'running' | 'done' | 'cached' | 'failed' | 'canceled'

export interface Step {
  /** BuildKit's digest of the step. */
  readonly id: string
  readonly kind: VertexName['kind']
  /** The targets that need it, as the user calls them, in the order in which they were met. */
  readonly targets: readonly string[]
  readonly platform: string | undefined
  /** Index in the Dockerfile; undefined for steps that belong to no stage. */
  readonly stage: number | undefined
  /** As BuildKit names the stage (`builder`, `stage-2`). */
  readonly stageName: string | undefined
  readonly place: number | undefined
  readonly total: number | undefined
  /** The instruction as BuildKit shows it (`RUN go build`), masked. */
  readonly text: string
  /** Where the instruction stands. */
  readonly source: SourceLines | undefined
  readonly status: StepStatus
  /** Milliseconds since the epoch; where BuildKit went on with a step several times, so long before its end as it took. */
  readonly startedMs: number | undefined
  readonly durationMs: number
  readonly error: string | undefined
  /** The last lines that it printed, masked. */
  readonly tail: readonly string[]
  readonly inputs: readonly string[]
}

/** Whether a step is an instruction of a stage: neither housekeeping nor an image that is fetched. */
export function isInstruction({ kind, text }: Pick<Step, 'kind' | 'text'>): boolean {
  return kind === 'stage' && !text.startsWith('FROM ')
}

/** A reference that was pushed, with its digest; the target is undefined where only one was built. */
export interface PushedImage {
  readonly reference: string
  readonly digest: string
}

export interface ProgressListener {
  /** A step began, went on or ended; compare `status` with what was seen before. */
  onStep?(step: Step): void
  /** A step printed a line (masked, without its line end). */
  onLine?(step: Step, line: string): void
  /** A step's transfer made progress. */
  onStatus?(step: Step, status: StatusEvent): void
}

export interface ProgressOptions {
  readonly targets: readonly { readonly id: string; readonly name: string }[]
  /** The stages of a target's Dockerfile; undefined: of the only one. */
  readonly stagesOf: (target: string | undefined) => readonly StageLayout[]
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string
  readonly listener?: ProgressListener
}

/** One target's view of a step. */
interface View {
  startedMs: number | undefined
  completedMs: number | undefined
  cached: boolean
  error: string | undefined
  /** Time of the runs before the present one, in ms: a step may begin anew after it looked for its cache. */
  earlierMs: number
}

interface StepRecord {
  readonly id: string
  /** The target whose step it was told as first. */
  readonly owner: string | undefined
  readonly name: VertexName
  readonly targets: string[]
  /** Found anew only with another target: this is asked for with every line that the step prints. */
  located: Location | undefined
  readonly views: Map<string, View>
  readonly output: OutputLines
  readonly inputs: readonly string[]
  readonly text: string
}

export const TAIL_LINES = 40

export class BuildProgress {
  readonly #options: ProgressOptions
  readonly #ids: readonly string[]
  readonly #names: ReadonlyMap<string, string>
  readonly #records = new Map<string, StepRecord>()
  readonly #warnings = new Map<string, WarningEvent>()
  readonly #pushed = new Map<string, string>()

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#ids = options.targets.map((target) => target.id)
    this.#names = new Map(options.targets.map((target) => [target.id, target.name]))
  }

  apply(events: ProgressEvents): void {
    const listener = this.#options.listener
    for (const vertex of events.vertexes) {
      if (this.#isFetch(vertex)) continue
      const record = this.#take(vertex)
      if (vertex.completedMs !== undefined) record.output.end()
      listener?.onStep?.(this.#step(record))
    }
    for (const status of events.statuses) {
      const [, reference, digest] = /^pushing manifest for (\S+)@(sha256:[0-9a-f]{64})$/.exec(status.id) ?? []
      if (reference !== undefined && digest !== undefined && status.completed) this.#pushed.set(reference, digest)
      const record = this.#records.get(status.vertex)
      if (record !== undefined) listener?.onStatus?.(this.#step(record), status)
    }
    for (const log of events.logs) this.#records.get(log.vertex)?.output.push(log.stream, log.data)
    for (const warning of events.warnings) this.#warnings.set(`${warning.line ?? ''}:${warning.text}`, warning)
  }

  /** The stream has ended: what a step printed without a line end is a line, too. */
  end(): void {
    for (const record of this.#records.values()) record.output.end()
  }

  /** Every step, in the order in which BuildKit named them. */
  steps(): readonly Step[] {
    return [...this.#records.values()].map((record) => this.#step(record))
  }

  /** Warnings of the Dockerfile checks, each once. */
  warnings(): readonly WarningEvent[] {
    return [...this.#warnings.values()]
  }

  /** What was pushed, in order. */
  pushed(): readonly PushedImage[] {
    return [...this.#pushed].map(([reference, digest]) => ({ reference, digest }))
  }

  /**
   * Where a cached result has to be fetched, the fetch tells its start and end under the step's digest, without the
   * step's inputs: it is no run of the step.
   * https://github.com/moby/buildkit/blob/v0.25.2/util/progress/controller/controller.go
   */
  #isFetch(vertex: VertexEvent): boolean {
    const inputs = this.#records.get(vertex.digest)?.inputs ?? []
    return inputs.length > 0 && vertex.inputs.length === 0 && vertex.error === undefined
  }

  #take(vertex: VertexEvent): StepRecord {
    const name = readVertexName(vertex.name, this.#ids)
    const target = name.target ?? (this.#ids.length === 1 ? this.#ids[0] : undefined)
    const targetName = target === undefined ? undefined : this.#names.get(target)
    const record = this.#records.get(vertex.digest) ?? this.#add(vertex, name, targetName)
    if (targetName !== undefined && !record.targets.includes(targetName)) {
      record.targets.push(targetName)
      if (targetName !== record.owner) record.located = this.#locate(record.name, [record.owner, ...record.targets])
    }
    const view = record.views.get(target ?? '') ?? newView()
    record.views.set(target ?? '', view)
    if (vertex.startedMs !== undefined && view.startedMs !== undefined && vertex.startedMs !== view.startedMs) {
      view.earlierMs += Math.max(0, (view.completedMs ?? view.startedMs) - view.startedMs)
    }
    view.startedMs = vertex.startedMs ?? view.startedMs
    view.completedMs = vertex.startedMs === undefined ? view.completedMs : vertex.completedMs
    view.cached = vertex.cached
    view.error = vertex.error === undefined ? view.error : shownText(this.#options.mask, vertex.error)
    return record
  }

  #add(vertex: VertexEvent, name: VertexName, owner: string | undefined): StepRecord {
    const text = shownText(this.#options.mask, name.text.replaceAll(/\s+/g, ' '))
    const output = outputLines(TAIL_LINES, this.#options.mask, (line) => {
      const record = this.#records.get(vertex.digest)
      if (record !== undefined) this.#options.listener?.onLine?.(this.#step(record), line)
    })
    const { digest: id, inputs } = vertex
    const located = this.#locate(name, [owner])
    const record = { id, owner, name, targets: [], located, views: new Map(), output, inputs, text }
    this.#records.set(vertex.digest, record)
    return record
  }

  #locate(name: VertexName, targets: readonly (string | undefined)[]): Location | undefined {
    return locate(name, [...new Set(targets.map((target) => this.#options.stagesOf(target)))])
  }

  #step(record: StepRecord): Step {
    const { name, located } = record
    const views = [...record.views.values()]
    const durationMs = Math.max(0, ...views.map(duration))
    return {
      id: record.id,
      kind: name.kind,
      targets: record.targets,
      platform: name.platform,
      stage: located?.stage,
      stageName: name.stage,
      place: name.place,
      total: name.total,
      text: record.text,
      source: located?.source,
      status: merge(views),
      startedMs: startOf(views, durationMs),
      durationMs,
      error:
        views.find((view) => view.error !== undefined && !isCancellation(view.error))?.error ??
        views.find((view) => view.error)?.error,
      tail: record.output.tail(),
      inputs: record.inputs,
    }
  }
}

/**
 * Errors of steps that BuildKit stopped because another failed, or because the run was cancelled. Two outputs of one
 * image write the same blobs: one that is stopped while it waits for the other tells of the other's lock alone, though it
 * would have waited for as long as it takes.
 * https://github.com/containerd/containerd/blob/v2.1.4/core/content/helpers.go (OpenWriter)
 */
export function isCancellation(error: string): boolean {
  return /context canceled|\bref \S+ locked for \S+ \(since [^)]*\): unavailable/i.test(withoutCommand(error))
}

/** BuildKit's own words: a command of the user's stands in its error, too, and may hold any words. */
export function withoutCommand(error: string): string {
  return error.replace(/process ".*" (?=did not complete successfully)/s, '')
}

function newView(): View {
  return { startedMs: undefined, completedMs: undefined, cached: false, error: undefined, earlierMs: 0 }
}

function duration(view: View): number {
  const present = view.startedMs === undefined || view.completedMs === undefined ? 0 : view.completedMs - view.startedMs
  return Math.max(0, present) + view.earlierMs
}

function startOf(views: readonly View[], durationMs: number): number | undefined {
  const starts = views.flatMap((view) => (view.startedMs === undefined ? [] : [view.startedMs]))
  if (starts.length === 0) return undefined
  // Work that was left and taken up again would end later than it did, counted from its last beginning.
  const ends = views.flatMap((view) =>
    view.earlierMs > 0 && duration(view) === durationMs ? (view.completedMs ?? []) : [],
  )
  return ends.length === 0 ? Math.min(...starts) : Math.min(...ends) - durationMs
}

/**
 * One status of several views. A step that ran for one target is shown as cached to the next, so "done" wins; and
 * BuildKit marks inputs of a failed step as cached although they never ran, so "canceled" wins over that.
 */
function merge(views: readonly View[]): StepStatus {
  const ended = views.filter((view) => view.completedMs !== undefined)
  if (views.some((view) => view.error !== undefined && !isCancellation(view.error))) return 'failed'
  if (ended.some((view) => view.error === undefined && !view.cached)) return 'done'
  if (views.some((view) => view.startedMs !== undefined && view.completedMs === undefined)) return 'running'
  if (views.some((view) => view.error !== undefined)) return 'canceled'
  if (ended.some((view) => view.cached)) return 'cached'
  return 'waiting'
}
