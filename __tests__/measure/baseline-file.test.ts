import { expect, test } from '@jest/globals'
import { readBaselineFile } from '../../src/measure/baseline-file.ts'
import { sizeRecordToJson, writeSizeRecords } from '../../src/measure/size-record.ts'
import { OUTPUT_NAMES, writeBuildOutputs } from '../../src/outputs.ts'
import type { Runner } from '../../src/runner.ts'
import { recordOf, sizesOf } from '../support/size-records.ts'

const PLATFORMS = [
  sizesOf({
    layers: [
      { content: 'base', size: 5, inherited: true },
      { content: 'own', size: 2 },
    ],
  }),
  sizesOf({ platform: 'linux/arm64', layers: [{ content: 'own', size: 3, unpacked: undefined }] }),
]

/** The `sizes` output as a run writes it. */
function sizesOutput(): string {
  const outputs = new Map<string, string>()
  const runner: Pick<Runner, 'setOutput'> = { setOutput: (name, value) => void outputs.set(name, value) }
  const image = { tags: [], digest: undefined, imageId: undefined }
  const images = [
    { target: 'prod', ...image, sizes: { platforms: PLATFORMS } },
    { target: 'unmeasured', ...image, sizes: undefined },
  ]
  writeBuildOutputs(runner as Runner, images, { metadata: {} })
  expect(OUTPUT_NAMES).toContain('sizes')
  return outputs.get('sizes') ?? ''
}

test('the `sizes` output is a baseline: sizes of each platform, without layers', () => {
  const read = readBaselineFile(sizesOutput(), 'app')
  expect(read).toMatchObject({
    kind: 'records',
    records: [
      {
        ...{ id: 'app', target: 'prod', status: 'built' },
        platforms: PLATFORMS.map(({ platform, transfer, unpacked }) => ({ platform, transfer, unpacked, layers: [] })),
      },
    ],
  })
})

test('size records are one, alone or in a file', () => {
  const record = recordOf({ platforms: PLATFORMS })
  const expected = { kind: 'records', records: [record] }
  expect(readBaselineFile(JSON.stringify(sizeRecordToJson(record)), 'other')).toEqual(expected)
  expect(readBaselineFile(writeSizeRecords([record]), 'other')).toEqual(expected)
})

test.each([
  ['', 'it is no JSON'],
  ['7', 'it has no `"version": 1`'],
  ['{"targets":{}}', 'it has no `"version": 1`'],
  ['{"version":1}', 'it is neither the `sizes` output nor size records'],
  ['{"version":1,"targets":[]}', 'it is neither the `sizes` output nor size records'],
  ['{"version":1,"targets":{"prod":{}}}', 'it is neither the `sizes` output nor size records'],
  ['{"version":1,"targets":{"prod":{"linux/amd64":7}}}', 'it is neither the `sizes` output nor size records'],
  ['{"version":1,"targets":{"prod":{"linux/amd64":{"transfer":{},"unpacked":{}}}}}', 'it is neither the `sizes` output nor size records'],
  ['{"version":1,"targets":{"prod":{"linux/amd64":{"transfer":{"total":-1},"unpacked":{"total":1e999}}}}}', 'it is neither the `sizes` output nor size records'],
  ['{"version":1,"targets":{"__proto__":{"linux/amd64":{"transfer":{"total":1},"unpacked":{}}}}}', 'it is neither the `sizes` output nor size records'],
  [`{"version":1,"targets":{${Array.from({ length: 501 }, (_, i) => `"t${i}":{"linux/amd64":{"transfer":{"total":1},"unpacked":{}}}`).join()}}}`, 'it is neither the `sizes` output nor size records'],
])('%.100s is refused with a reason', (text, reason) => {
  expect(readBaselineFile(text, 'app')).toEqual({ kind: 'refused', reason })
}) // prettier-ignore
