/**
 * Records: what is remembered of a target that was built. Kept with the cache index, which others may have written, so
 * they are read strictly: what is malformed, of another version or too large is no record. Pure.
 */
import {
  digestOf,
  type PrintedOption,
  type PrintedSetting,
  type PrintedSource,
  type StagePrint,
  type StepPrint,
} from './stage-print.ts'
import { all, entries, field, isCount, isText as isShortText } from '../json-fields.ts'
import type { FileList } from './file-lists.ts'
import type { PlatformPrint, TargetField, TargetPrint } from './target-print.ts'

export interface TargetRecord {
  /** ISO 8601 */
  readonly createdAt: string
  readonly commit: string | undefined
  /** Id of the run that built it. */
  readonly run?: string | undefined
  /** Undefined where inputs of it cannot be known beforehand: such a record is only compared with. */
  readonly fingerprint: string | undefined
  readonly print: Pick<TargetPrint, 'platforms' | 'fields'>
  /** Digest of what a source read → the files in it. */
  readonly files: ReadonlyMap<string, FileList>
  readonly image: RecordedImage
}

export interface RecordedImage {
  /** Digest of what was pushed: a manifest or an index; undefined where nothing was. */
  readonly digest: string | undefined
  /** Where it was pushed to: `ghcr.io/org/app`. */
  readonly repositories: readonly string[]
  readonly imageId: string | undefined
  /** What was measured; whoever reads it checks it. */
  readonly sizes: unknown
}

/** As JSON for the index. Stages and files that several targets share are written once. */
export function writeRecords(records: ReadonlyMap<string, TargetRecord>): Readonly<Record<string, unknown>> {
  const stages: Record<string, unknown> = {}
  const files: Record<string, unknown> = {}
  const share = (stage: StagePrint): string => {
    const key = shortOf(digestOf(stage))
    stages[key] = stage
    return key
  }
  const targets = [...records].map(([name, { print, files: lists, image, ...head }]) => {
    for (const [digest, list] of lists) files[digest] = Object.fromEntries(list)
    const platforms = print.platforms.map(({ platform, stages: all }) => ({ platform, stages: all.map(share) }))
    return [name, { ...head, platforms, fields: print.fields, files: [...lists.keys()], image }] as const
  })
  return { version: VERSION, stages, files, targets: Object.fromEntries(targets) }
}

const VERSION = 1
const MOST_TARGETS = 500
const MOST_STAGES = 20_000
const MOST_STEPS = 5_000
const MOST_FILES = 20_000
const LONGEST = 20_000

/** Every target's record that can be read. */
export function readRecords(json: unknown): ReadonlyMap<string, TargetRecord> {
  const records = new Map<string, TargetRecord>()
  if (field(json, 'version') !== VERSION) return records
  const stages = new Map(entries(field(json, 'stages'), MOST_STAGES).map(([key, value]) => [key, stageOf(value)]))
  const lists = new Map(entries(field(json, 'files'), MOST_STAGES).map(([key, value]) => [key, listOf(value)]))
  for (const [name, value] of entries(field(json, 'targets'), MOST_TARGETS)) {
    const record = recordOf(value, stages, lists)
    if (record !== undefined) records.set(name, record)
  }
  return records
}

function recordOf(
  value: unknown,
  stages: ReadonlyMap<string, StagePrint | undefined>,
  lists: ReadonlyMap<string, FileList | undefined>,
): TargetRecord | undefined {
  const [createdAt, fingerprint, commit] = [
    field(value, 'createdAt'),
    field(value, 'fingerprint'),
    field(value, 'commit'),
  ]
  const [run, image] = [field(value, 'run'), imageOf(field(value, 'image'))]
  const platforms = allOf(field(value, 'platforms'), (item): PlatformPrint | undefined => {
    const platform = field(item, 'platform')
    const known = allOf(field(item, 'stages'), (key) => (typeof key === 'string' ? stages.get(key) : undefined))
    return isText(platform) && known !== undefined && known.length > 0 ? { platform, stages: known } : undefined
  })
  const fields = allOf(field(value, 'fields'), (item): TargetField | undefined => {
    const [name, digest] = [field(item, 'name'), field(item, 'digest')]
    return isText(name) && isText(digest) ? { name, digest } : undefined
  })
  const digests = allOf(field(value, 'files'), (item) => (isText(item) ? item : undefined))
  if (!isText(createdAt) || (fingerprint !== undefined && !isDigest(fingerprint)) || image === undefined)
    return undefined
  if (
    platforms === undefined ||
    (platforms.length === 0 && fingerprint !== undefined) ||
    fields === undefined ||
    digests === undefined
  )
    return undefined
  return {
    ...{ createdAt, fingerprint, image, print: { platforms, fields } },
    commit: typeof commit === 'string' && /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined,
    ...(typeof run === 'string' && /^\d{1,20}$/.test(run) ? { run } : {}),
    files: new Map(digests.flatMap((digest) => pair(digest, lists.get(digest)))),
  }
}

function pair<T>(key: string, value: T | undefined): readonly (readonly [string, T])[] {
  return value === undefined ? [] : [[key, value]]
}

function imageOf(value: unknown): RecordedImage | undefined {
  const [digest, imageId, repositories] = [
    field(value, 'digest'),
    field(value, 'imageId'),
    field(value, 'repositories'),
  ]
  const places = allOf(repositories, (item) => (isText(item) ? item : undefined))
  if (places === undefined || (digest !== undefined && !isDigest(digest))) return undefined
  return {
    ...{ digest, repositories: places, sizes: field(value, 'sizes') },
    imageId: isDigest(imageId) ? imageId : undefined,
  }
}

function stageOf(value: unknown): StagePrint | undefined {
  const [index, line, name] = [field(value, 'index'), field(value, 'line'), field(value, 'name')]
  const [platform, files, fingerprint] = [field(value, 'platform'), field(value, 'files'), field(value, 'fingerprint')]
  const base = sourceOf(field(value, 'base'))
  const steps = all(field(value, 'steps'), stepOf, MOST_STEPS)
  const options = allOf(field(value, 'options'), (item): PrintedOption | undefined => {
    const [key, digest] = [field(item, 'name'), field(item, 'value')]
    return isText(key) && isText(digest) ? { name: key, value: digest } : undefined
  })
  if (!isCount(index) || !isCount(line) || !isText(platform) || base === undefined) return undefined
  if (steps === undefined || options === undefined) return undefined
  return {
    ...{ index, line, platform, base, steps, options, unknown: [] },
    name: isText(name) ? name : undefined,
    files: isText(files) ? files : undefined,
    fingerprint: isText(fingerprint) ? fingerprint : undefined,
  }
}

function stepOf(value: unknown): StepPrint | undefined {
  const [keyword, text, written] = ['keyword', 'text', 'written'].map((key) => field(value, key))
  const [words, history] = ['words', 'history'].map((key) => field(value, key))
  const [line, endLine] = [field(value, 'line'), field(value, 'endLine')]
  const sources = allOf(field(value, 'sources'), sourceOf)
  const settings = allOf(field(value, 'settings'), (item): PrintedSetting | undefined => {
    const [name, digest] = [field(item, 'name'), field(item, 'value')]
    const [stage, at] = [field(item, 'stage'), field(item, 'line')]
    return isText(name) && isText(digest) && isCount(stage) && isCount(at)
      ? { name, value: digest, stage, line: at }
      : undefined
  })
  return isText(keyword) &&
    isText(text) &&
    isText(written) &&
    isText(words) &&
    isText(history) &&
    isCount(line) &&
    isCount(endLine)
    ? sources === undefined || settings === undefined
      ? undefined
      : { keyword, line, endLine, text, written, words, history, settings, sources }
    : undefined
}

const KINDS: readonly PrintedSource['kind'][] = ['image', 'stage', 'context', 'scratch']

function sourceOf(value: unknown): PrintedSource | undefined {
  const kind = KINDS.find((candidate) => candidate === field(value, 'kind'))
  const [name, digest] = [field(value, 'name'), field(value, 'digest')]
  return kind !== undefined && isText(name) ? { kind, name, digest: isText(digest) ? digest : undefined } : undefined
}

function listOf(value: unknown): FileList | undefined {
  const found = entries(value, MOST_FILES)
  return found.every((item): item is [string, string] => isText(item[1])) ? new Map(found) : undefined
}

/** Every item as read; undefined where one cannot be, or it is no list. */
function allOf<T>(value: unknown, read: (item: unknown) => T | undefined): readonly T[] | undefined {
  return all(value, read, MOST_STAGES)
}

function isText(value: unknown): value is string {
  return isShortText(value, LONGEST)
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
}

function shortOf(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 24)
}
