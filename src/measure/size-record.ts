/**
 * Size records: what a run measured of one target, as legs of a matrix hand it over, as the cache index remembers it, and as
 * reports compare with it. Others may have written what is read here (an artifact of a fork's run). Pure.
 */
import type { BaselineFacts } from './comparison.ts'
import { all, field, isCount, isText, parseJson } from '../json-fields.ts'
import { parsePlatforms, platformToJson } from './sizes-json.ts'
import type { PlatformSizes } from './sizes.ts'

export interface SizeRecord {
  readonly version: 1
  /** Identity: `id` and `target`. */
  readonly id: string
  readonly target: string
  /** The Dockerfile: POSIX, from the repository's root. */
  readonly file: string
  readonly commit: string | undefined
  /** `refs/heads/main` */
  readonly ref: string | undefined
  /** ISO 8601 */
  readonly createdAt: string
  readonly run: RecordedRun | undefined
  /** 1-based, of the target's FROM. */
  readonly line: number | undefined
  readonly status: 'built' | 'unchanged' | 'failed'
  /** What went wrong, in a sentence. */
  readonly failure?: string | undefined
  readonly tags: readonly string[]
  /** Of what was pushed. */
  readonly digest?: string | undefined
  /** What was measured: nothing of what failed. */
  readonly platforms: readonly PlatformSizes[]
  /** What was to be built, as `PlatformSizes.platform`; so that a failed leg, too, says which platforms it was for. */
  readonly wantedPlatforms?: readonly string[] | undefined
  readonly fingerprint?: string | undefined
  /** What it is compared with, as the job found out that measured it. */
  readonly baseline?: RecordedBaseline | undefined
}

export interface RecordedBaseline {
  readonly facts: BaselineFacts
  /** Undefined where nothing is known of the target. */
  readonly record: SizeRecord | undefined
}

export interface RecordedRun {
  readonly id: string
  /** From 1. */
  readonly attempt: number
  readonly url: string | undefined
}

export type ReadSizeRecords =
  | { readonly kind: 'records'; readonly records: readonly SizeRecord[] }
  /** `reason` is a clause about the text: `it is no JSON`. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Bytes of a file of records. */
export const MOST_RECORD_BYTES = 1_000_000

const VERSION = 1
const MOST_RECORDS = 500
const MOST_TAGS = 200
const MOST_PLATFORMS = 64
const LONGEST_NAME = 500
const LONGEST_FAILURE = 2_000
const TARGET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const PLATFORM = /^[\w-]{1,32}\/[\w.-]{1,32}(?:\/[\w.-]{1,32})?$/
const DIGEST = /^sha256:[0-9a-f]{64}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/**
 * A file of records. What explains sizes is left out where the file would be larger than `mostBytes`: packages first, then
 * files, then instructions and layers.
 */
export function writeSizeRecords(records: readonly SizeRecord[], mostBytes = MOST_RECORD_BYTES): string {
  let text = ''
  for (const reduce of REDUCTIONS) {
    const reduced = (record: SizeRecord): SizeRecord => ({ ...record, platforms: record.platforms.map(reduce) })
    const all = records.map((record) => {
      const { baseline } = record
      const before = baseline?.record === undefined ? baseline : { ...baseline, record: reduced(baseline.record) }
      return sizeRecordToJson({ ...reduced(record), baseline: before })
    })
    text = JSON.stringify({ version: VERSION, records: all })
    if (Buffer.byteLength(text) <= mostBytes) break
  }
  return text
}

/** What `writeSizeRecords` wrote, and nothing else. */
export function readSizeRecords(text: string): ReadSizeRecords {
  if (Buffer.byteLength(text) > MOST_RECORD_BYTES) return refused(`it is larger than ${MOST_RECORD_BYTES} bytes`)
  const json = parseJson(text)
  if (json === undefined) return refused('it is no JSON')
  if (field(json, 'version') !== VERSION) return refused('it is of a version that is not known')
  const records = all(field(json, 'records'), parseSizeRecord, MOST_RECORDS)
  return records === undefined || records.length === 0
    ? refused('it holds no size records')
    : { kind: 'records', records }
}

/** A record as data that `JSON.stringify` writes and `parseSizeRecord` reads. */
export function sizeRecordToJson(record: SizeRecord): Readonly<Record<string, unknown>> {
  const { baseline, ...rest } = record
  const before =
    baseline?.record === undefined ? undefined : sizeRecordToJson({ ...baseline.record, baseline: undefined })
  return {
    ...rest,
    platforms: record.platforms.map(platformToJson),
    ...(baseline === undefined ? {} : { baseline: { facts: baseline.facts, record: before } }),
  }
}

/** Undefined where it is no record, or of a version that is not known. */
export function parseSizeRecord(value: unknown): SizeRecord | undefined {
  const [id, target, file, createdAt] = ['id', 'target', 'file', 'createdAt'].map((key) => field(value, key))
  const status = STATUSES.find((known) => known === field(value, 'status'))
  const platforms = parsePlatforms(field(value, 'platforms'))
  const tags = all(field(value, 'tags'), nameOf, MOST_TAGS)
  if (field(value, 'version') !== VERSION || !isName(id) || !isName(file) || !isTarget(target)) return undefined
  if (!isTime(createdAt) || status === undefined || platforms === undefined || tags === undefined) return undefined
  if (!platforms.every(({ platform }) => PLATFORM.test(platform))) return undefined
  const baseline = baselineOf(field(value, 'baseline'))
  return {
    ...{ version: VERSION, id, target, file, createdAt, status, tags, platforms },
    ...optionalOf(value),
    ...(baseline === undefined ? {} : { baseline }),
  }
}

const SOURCES: readonly BaselineFacts['source'][] = ['input', 'exact', 'ancestor', 'registry', 'none']

/** Of a baseline's own baseline nothing is read. */
function baselineOf(value: unknown): RecordedBaseline | undefined {
  const facts = field(value, 'facts')
  const source = SOURCES.find((known) => known === field(facts, 'source'))
  if (source === undefined) return undefined
  const [distance, branch, url] = ['distance', 'branch', 'url'].map((key) => field(facts, key))
  const record = field(value, 'record')
  const before = typeof record === 'object' && record !== null ? { ...record, baseline: undefined } : undefined
  return {
    facts: {
      ...{ source, branch: nameOf(branch), url: isAddress(url) ? url : undefined },
      wanted: commitOf(field(facts, 'wanted')),
      commit: commitOf(field(facts, 'commit')),
      distance: isCount(distance) ? distance : undefined,
    },
    record: parseSizeRecord(before),
  }
}

function commitOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(value) ? value : undefined
}

/** The name of a target, or what could be one. */
export function isTarget(value: unknown): value is string {
  return typeof value === 'string' && TARGET.test(value)
}

export function isPlatform(value: unknown): value is string {
  return typeof value === 'string' && PLATFORM.test(value)
}

const STATUSES: readonly SizeRecord['status'][] = ['built', 'unchanged', 'failed']

type Optional = 'commit' | 'ref' | 'run' | 'line' | 'failure' | 'digest' | 'wantedPlatforms' | 'fingerprint'

function optionalOf(value: unknown): Pick<SizeRecord, Optional> {
  const [failure, digest, fingerprint] = ['failure', 'digest', 'fingerprint'].map((key) => field(value, key))
  const line = field(value, 'line')
  const wanted = all(field(value, 'wantedPlatforms'), (item) => (isPlatform(item) ? item : undefined), MOST_PLATFORMS)
  return {
    commit: commitOf(field(value, 'commit')),
    ref: nameOf(field(value, 'ref')),
    run: runOf(field(value, 'run')),
    line: isCount(line) && line > 0 ? line : undefined,
    ...(isText(failure, LONGEST_FAILURE) ? { failure } : {}),
    ...(isDigest(digest) ? { digest } : {}),
    ...(wanted === undefined ? {} : { wantedPlatforms: wanted }),
    ...(isDigest(fingerprint) ? { fingerprint } : {}),
  }
}

function runOf(value: unknown): RecordedRun | undefined {
  const [id, attempt, url] = [field(value, 'id'), field(value, 'attempt'), field(value, 'url')]
  if (typeof id !== 'string' || !/^\d{1,20}$/.test(id) || !isCount(attempt) || attempt === 0) return undefined
  return { id, attempt, url: isAddress(url) ? url : undefined }
}

function isAddress(value: unknown): value is string {
  return isName(value) && /^https?:\/\/[\w.:/?&=%#~-]+$/.test(value)
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value))
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && DIGEST.test(value)
}

/** On one line. */
function isName(value: unknown): value is string {
  return isText(value, LONGEST_NAME) && !/[\p{Cc}\u2028\u2029]/u.test(value)
}

function nameOf(value: unknown): string | undefined {
  return isName(value) ? value : undefined
}

function refused(reason: string): ReadSizeRecords {
  return { kind: 'refused', reason }
}

/** Each leaves out more than the one before. Texts may be whole scripts; their beginnings tell layers apart. */
const REDUCTIONS: readonly ((sizes: PlatformSizes) => PlatformSizes)[] = [
  (sizes) => withShortTexts(sizes, 2_000),
  (sizes) => withShortTexts(without(sizes, { packages: undefined }), 1_000),
  (sizes) => withShortTexts(without(sizes, NO_FILES), 300),
  (sizes) => withShortTexts(without(sizes, NO_FILES), 60),
  (sizes) => ({ ...sizes, ...NO_FILES, layers: [] }),
]

const NO_FILES = { packages: undefined, files: undefined }

function without(
  sizes: PlatformSizes,
  parts: { readonly packages: undefined; readonly files?: undefined },
): PlatformSizes {
  return { ...sizes, ...parts, layers: sizes.layers.map((layer) => ({ ...layer, ...parts })) }
}

function withShortTexts(sizes: PlatformSizes, longest: number): PlatformSizes {
  const layers = sizes.layers.map((layer) => ({
    ...layer,
    createdBy: cut(layer.createdBy, longest),
    ...(layer.source === undefined ? {} : { source: { ...layer.source, text: cut(layer.source.text, longest) } }),
  }))
  return { ...sizes, layers }
}

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : text.slice(0, longest).toWellFormed()
}
