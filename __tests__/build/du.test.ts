import { describe, expect, test } from '@jest/globals'
import { bytesOnDisk, DiskUsageReader, type DiskRecord } from '../../src/build/du.ts'
import type { Step } from '../../src/build/progress.ts'
import { TWO_TARGETS, readFixture, replay } from './fixtures.ts'

/** What is read of a text that arrives in pieces. */
function readDiskUsage(text: string, pieceLength = 1_000): readonly DiskRecord[] {
  const reader = new DiskUsageReader()
  for (let at = 0; at < text.length; at += pieceLength) reader.push(text.slice(at, at + pieceLength))
  return reader.end()
}

async function recorded(): Promise<{ records: readonly DiskRecord[]; ofStage: (name: string) => readonly Step[] }> {
  const { progress } = replay(await readFixture('two-targets.rawjson'), {
    targets: ['prod', 'test'],
    stages: TWO_TARGETS,
  })
  const instructions = progress.steps().filter((step) => step.kind === 'stage' && !step.text.startsWith('FROM '))
  return {
    records: readDiskUsage(await readFixture('du.jsonl')),
    ofStage: (name) =>
      instructions.filter((step) => step.stageName === name).toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0)),
  }
}

describe('what stages weigh on the builder’s disk', () => {
  test('is the sum of the snapshots of their steps and of the base image beneath', async () => {
    const { records, ofStage } = await recorded()
    expect(ofStage('builder')).toHaveLength(4)
    // WORKDIR 8.192 kB, COPY 12.29 kB, RUN 110.6 kB, RUN 110.6 kB; an older build has the same steps, but not its RUN.
    const base = 3_682_000
    const own = 8_192 + 12_290 + 110_600 + 110_600
    expect(bytesOnDisk(records, ofStage('builder'))).toEqual({ own, base })
    expect(bytesOnDisk(records, [...ofStage('builder'), ...ofStage('test')])).toEqual({ own: own + 8_192, base })
  })

  test('is unknown when a link of the chain is gone, never a part', async () => {
    const { records, ofStage } = await recorded()
    const pruned = records.filter((record) => !record.description.includes('héllo'))
    expect(bytesOnDisk(pruned, ofStage('builder'))).toBeUndefined()
    expect(bytesOnDisk([], ofStage('builder'))).toBeUndefined()
    expect(bytesOnDisk(records, [])).toBeUndefined()
  })
})

test.each([
  ['RUN go build -o app v1.2', '/bin/sh -c go build -o $OUT ${VERSION}', 150],
  ['RUN --mount=type=cache,target=/c go vet', '/bin/sh -c go vet', 150],
  ['RUN ["/app","-x"]', '/app -x', 150],
  ['RUN <<EOF (set -e...)', '/bin/sh -c set -e\nmake', 150],
  ['RUN go build', '/bin/bash -o pipefail -c go build', 150],
  ['RUN go build', '/bin/sh -c go build $FLAGS', undefined],
  ['RUN go build', '/bin/sh -c go vet', undefined],
])('%s is the snapshot of %s: %p', async (text, argv, bytes) => {
  const { ofStage } = await recorded()
  const [first] = ofStage('prod')
  if (first === undefined) throw new Error('no step')
  const record = (id: string, parents: readonly string[], description: string): DiskRecord => ({
    id, parents, description, type: 'regular', bytes: 75, createdMs: 0,
  }) // prettier-ignore
  const records = [record('a', [], `[old 2/2] ${first.text}`), record('b', ['a'], `mount / from exec ${argv}`)]
  expect(bytesOnDisk(records, [first, { ...first, text }])?.own).toBe(bytes)
})

test.each([
  ['4.096kB', 4096],
  ['379.8MB', 379_800_000],
  ['1.704GB', 1_704_000_000],
  ['12B', 12],
  ['0B', 0],
])('a size of %s is %d bytes', (text, bytes) => {
  expect(readDiskUsage(JSON.stringify({ ID: 'a', Size: text, Parents: null }))[0]).toMatchObject({ bytes, parents: [] })
})

test('a text of megabytes is read whole, whatever pieces it comes in', () => {
  const lines = Array.from({ length: 20_000 }, (_, index) =>
    JSON.stringify({ ID: `id${index}`, Size: '4.096kB', Parents: [`id${index + 1}`], Description: 'x'.repeat(100) }),
  )
  for (const pieceLength of [7_919, 65_536]) {
    const records = readDiskUsage(`${lines.join('\n')}\n`, pieceLength)
    expect(records).toHaveLength(20_000)
    expect([records[0]?.id, records.at(-1)?.parents]).toEqual(['id0', ['id20000']])
  }
})
