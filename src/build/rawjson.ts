/**
 * `--progress=rawjson`: the stream that buildx writes on stderr, one JSON object a line, its own error text between
 * and after them. Splits and narrows; keeps no state of the build.
 *
 * The objects are BuildKit's SolveStatus: https://github.com/moby/buildkit/blob/v0.25.2/client/graph.go
 */
import { list, parseJson } from '../json-fields.ts'
import { asRecord, textAt } from './json.ts'

export interface VertexEvent {
  readonly digest: string
  readonly name: string
  readonly inputs: readonly string[]
  /** Milliseconds since the epoch. */
  readonly startedMs: number | undefined
  readonly completedMs: number | undefined
  readonly cached: boolean
  readonly error: string | undefined
}

/** Progress within a vertex: a transfer, a push, a pull of one layer. */
export interface StatusEvent {
  readonly vertex: string
  readonly id: string
  readonly current: number
  readonly total: number
  readonly completed: boolean
}

export interface LogEvent {
  readonly vertex: string
  /** 1: standard output, 2: standard error. */
  readonly stream: number
  readonly data: Buffer
}

/** A warning of the Dockerfile frontend's checks. */
export interface WarningEvent {
  readonly vertex: string
  readonly text: string
  readonly url: string | undefined
  readonly line: number | undefined
}

export interface ProgressEvents {
  readonly vertexes: readonly VertexEvent[]
  readonly statuses: readonly StatusEvent[]
  readonly logs: readonly LogEvent[]
  readonly warnings: readonly WarningEvent[]
}

export interface RawJsonReader {
  /** Takes text as it arrives, cut anywhere. */
  push(text: string): void
  /** The stream has ended: what is left is a line, too. */
  end(): void
}

/** One line of a large build's graph can be long, but nothing sane is longer than this; the rest of it is dropped. */
const LONGEST_LINE = 16 << 20

/** @param onText lines that are not progress: buildx's warnings and its final error with the Dockerfile excerpt. */
export function rawJsonReader(
  onEvents: (events: ProgressEvents) => void,
  onText: (line: string) => void,
): RawJsonReader {
  let rest = ''
  const line = (text: string): void => {
    if (text === '') return
    const record = text.startsWith('{') ? asRecord(parseJson(text)) : undefined
    if (record === undefined) onText(text)
    else onEvents(readEvents(record))
  }
  return {
    push: (text) => {
      const lines = (rest + text).split('\n')
      rest = (lines.pop() ?? '').slice(0, LONGEST_LINE)
      lines.forEach(line)
    },
    end: () => {
      line(rest)
      rest = ''
    },
  }
}

function readEvents(record: Record<string, unknown>): ProgressEvents {
  return {
    vertexes: records(record['vertexes']).map(readVertex),
    statuses: records(record['statuses']).map(readStatus),
    logs: records(record['logs']).map(readLog),
    warnings: records(record['warnings']).map(readWarning),
  }
}

function readVertex(vertex: Record<string, unknown>): VertexEvent {
  return {
    digest: textAt(vertex, 'digest') ?? '',
    name: textAt(vertex, 'name') ?? '',
    inputs: list(vertex['inputs']).filter((input) => typeof input === 'string'),
    startedMs: time(vertex['started']),
    completedMs: time(vertex['completed']),
    cached: vertex['cached'] === true,
    error: textAt(vertex, 'error'),
  }
}

function readStatus(status: Record<string, unknown>): StatusEvent {
  return {
    vertex: textAt(status, 'vertex') ?? '',
    id: textAt(status, 'id') ?? '',
    current: typeof status['current'] === 'number' ? status['current'] : 0,
    total: typeof status['total'] === 'number' ? status['total'] : 0,
    completed: typeof status['completed'] === 'string',
  }
}

function readLog(log: Record<string, unknown>): LogEvent {
  return {
    vertex: textAt(log, 'vertex') ?? '',
    stream: log['stream'] === 2 ? 2 : 1,
    data: Buffer.from(textAt(log, 'data') ?? '', 'base64'),
  }
}

function readWarning(warning: Record<string, unknown>): WarningEvent {
  const [range] = records(warning['range'])
  const line = asRecord(range?.['start'])?.['line']
  return {
    vertex: textAt(warning, 'vertex') ?? '',
    text: Buffer.from(textAt(warning, 'short') ?? '', 'base64').toString('utf8'),
    url: textAt(warning, 'url'),
    line: typeof line === 'number' ? line : undefined,
  }
}

function records(value: unknown): readonly Record<string, unknown>[] {
  return list(value)
    .map(asRecord)
    .filter((record) => record !== undefined)
}

/** Go's RFC 3339 times have nanoseconds; its zero time (year 1) means "none". */
function time(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms
}
