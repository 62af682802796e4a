/** Size records on their way: what a step of a leg does with those it made, and the report job with those of all legs. */
import { readSizeRecords, writeSizeRecords, type SizeRecord } from '../measure/size-record.ts'
import { artifactName, isPlanName, type Cell } from './artifact-name.ts'
import { fetchTexts, uploadText, type HandedOver, type HandoverOptions, type UploadOutcome } from './artifacts.ts'
import { gatherRecords, leftOutWarning, legOf, type Gathered, type GatherOptions } from './gather.ts'
import type { ArtifactPlace } from './handover-protocol.ts'

export interface GatheredSizes extends Gathered {
  /** `none`: there are no artifacts here. */
  readonly kind: 'gathered' | 'none' | 'failed'
  /** Plans that were handed over, unread. */
  readonly plans: readonly HandedOver[]
  /** Sentences; names in them are untrusted. */
  readonly warnings: readonly string[]
}

/** Days that GitHub keeps records for: as long as a run may be started again. */
export const RETENTION_DAYS = 30

/**
 * Hands a step's records over to the report job. Never throws.
 * @param attempt of this run, from 1
 */
export async function handOverSizes(
  records: readonly SizeRecord[],
  attempt: number,
  options: HandoverOptions,
): Promise<UploadOutcome> {
  const text = writeSizeRecords(records)
  // Named by what the report job will read.
  const read = readSizeRecords(text)
  if (read.kind === 'refused') {
    const warning = `The sizes are not handed over to the report job: ${read.reason}.`
    return { kind: 'failed', why: 'service', warning }
  }
  const name = artifactName(legOf(read.records), attempt)
  return await uploadText({ name, text, retentionDays: RETENTION_DAYS }, options)
}

/** Gets and sorts out the records of all legs. Never throws. */
export async function gatherSizes(
  places: readonly ArtifactPlace[],
  gathering: GatherOptions,
  options: HandoverOptions,
): Promise<GatheredSizes> {
  const fetched = await fetchTexts(places, options)
  const texts = fetched.kind === 'fetched' ? fetched.texts : []
  const plans = texts.filter(({ name }) => isPlanName(name))
  const records = texts.filter(({ name }) => !isPlanName(name))
  const gathered = { ...gatherRecords(records, gathering), plans }
  if (fetched.kind !== 'fetched') {
    return { ...gathered, kind: fetched.kind, warnings: fetched.kind === 'failed' ? [fetched.warning] : [] }
  }
  const left = [...fetched.left, ...gathered.left]
  const warnings = [fetched.warning, leftOutWarning(left), missingWarning(gathered.missing)]
  return { ...gathered, left, kind: 'gathered', warnings: warnings.filter((warning) => warning !== undefined) }
}

/** One sentence; undefined where nothing is missing. */
export function missingWarning(missing: readonly Cell[]): string | undefined {
  if (missing.length === 0) return undefined
  const names = missing
    .slice(0, 10)
    .map(({ target, platform }) => (platform === '' ? target : `${target} on ${platform}`))
  const others = missing.length > names.length ? ` and ${missing.length - names.length} more` : ''
  return `No sizes were handed over for ${names.join(', ')}${others}.`
}
