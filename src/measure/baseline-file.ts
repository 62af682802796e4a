/** A file of sizes that the input `baseline` names: the `sizes` output of an earlier run, or size records. Pure. */
import { all, entries, field, parseJson } from '../json-fields.ts'
import { isPlatform, isTarget, parseSizeRecord, type ReadSizeRecords, type SizeRecord } from './size-record.ts'
import { parseSplit } from './sizes-json.ts'
import type { PlatformSizes } from './sizes.ts'

/** A user's own file: records of many targets with all that explains them. */
export const MOST_BASELINE_BYTES = 50_000_000

const VERSION = 1
const MOST_TARGETS = 500
const MOST_PLATFORMS = 64

/**
 * What a file holds: a record, a file of records (`writeSizeRecords`), or the `sizes` output. What that tells has no layers.
 * @param id of targets in a `sizes` output, which does not tell any
 */
export function readBaselineFile(text: string, id: string): ReadSizeRecords {
  if (text.length > MOST_BASELINE_BYTES) return refused(`it is larger than ${MOST_BASELINE_BYTES} bytes`)
  const json = parseJson(text)
  if (json === undefined) return refused('it is no JSON')
  if (field(json, 'version') !== VERSION) return refused('it has no `"version": 1`')
  const records = recordsOf(json) ?? sizesOutput(json, id)
  return records === undefined || records.length === 0
    ? refused('it is neither the `sizes` output nor size records')
    : { kind: 'records', records }
}

function recordsOf(json: unknown): readonly SizeRecord[] | undefined {
  const one = parseSizeRecord(json)
  return one === undefined ? all(field(json, 'records'), parseSizeRecord, MOST_TARGETS) : [one]
}

/** See `writeBuildOutputs` in src/outputs.ts. Targets that were not measured are there without platforms. */
function sizesOutput(json: unknown, id: string): readonly SizeRecord[] | undefined {
  const targets = entries(field(json, 'targets'), MOST_TARGETS)
  const records = targets.map(([target, value]): SizeRecord | undefined => {
    const platforms = entries(value, MOST_PLATFORMS).map(([platform, sizes]) => platformOf(platform, sizes))
    if (!isTarget(target) || !platforms.every((platform) => platform !== undefined)) return undefined
    return {
      ...{ version: VERSION, id, target, platforms, status: 'built', file: '', createdAt: '', tags: [] },
      ...{ commit: undefined, ref: undefined, run: undefined, line: undefined },
    }
  })
  return records.every((record) => record !== undefined)
    ? records.filter(({ platforms }) => platforms.length > 0)
    : undefined
}

function platformOf(platform: string, sizes: unknown): PlatformSizes | undefined {
  const [transfer, unpacked] = [parseSplit(field(sizes, 'transfer')), parseSplit(field(sizes, 'unpacked'))]
  if (!isPlatform(platform) || transfer === undefined || unpacked === undefined) return undefined
  if (transfer.total === undefined && unpacked.total === undefined) return undefined
  return { platform, transfer, unpacked, digest: '', configDigest: '', layers: [], unknownReason: undefined }
}

function refused(reason: string): ReadSizeRecords {
  return { kind: 'refused', reason }
}
