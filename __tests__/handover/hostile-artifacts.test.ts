/** Artifacts that no honest leg hands over: each is left out with a reason, and fills neither memory nor disk. */
import { expect, test } from '@jest/globals'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createDeflateRaw } from 'node:zlib'
import { artifactName, ENTRY_NAME, type Leg } from '../../src/handover/artifact-name.ts'
import { gatherRecords } from '../../src/handover/gather.ts'
import { startArtifactService, type ArtifactService } from '../support/artifact-service.ts'
import { artifactStep } from '../support/artifact-step.ts'
import type { PlantedArtifact } from '../support/artifact-store.ts'
import { rawZip } from '../support/raw-zip.ts'

const leg = (target: string): Leg => ({ id: 'app', cells: [{ target, platform: 'linux/amd64' }] })
const NAME = artifactName(leg('hostile'), 1)
const HONEST = artifactName(leg('honest'), 1)
const small = Buffer.from('{}')

/** Deflated zeros, as packed by zlib: a thousandth of their size. */
async function zeros(bytes: number): Promise<Buffer> {
  const deflate = createDeflateRaw({ level: 9 })
  const chunk = Buffer.alloc(1 << 20)
  const packed: Buffer[] = []
  deflate.on('data', (data: Buffer) => packed.push(data))
  for (let at = 0; at < bytes; at += chunk.length) {
    if (!deflate.write(chunk)) await new Promise((resolve) => deflate.once('drain', resolve))
  }
  deflate.end()
  await new Promise((resolve) => deflate.once('end', resolve))
  return Buffer.concat(packed)
}

async function planted(artifact: Omit<PlantedArtifact, 'by' | 'name'>): Promise<ArtifactService> {
  const service = await startArtifactService()
  await service.plant({ by: { runId: 1 }, name: NAME, ...artifact })
  const honest = rawZip([{ name: ENTRY_NAME, content: Buffer.from('"honest"') }])
  await service.plant({ by: { runId: 1 }, name: HONEST, bytes: honest })
  return service
}

const one = (name: string, content = small): Buffer => rawZip([{ name, content }])

const HOSTILE: readonly (readonly [string, () => Promise<Omit<PlantedArtifact, 'by' | 'name'>>, string])[] = [
  [
    'a path out of its folder',
    async () => Promise.resolve({ bytes: one('../x') }),
    'its zip holds another file than size-record.json',
  ],
  [
    'an absolute path',
    async () => Promise.resolve({ bytes: one('/tmp/x') }),
    'its zip holds another file than size-record.json',
  ],
  [
    'a second file',
    async () =>
      Promise.resolve({
        bytes: rawZip([
          { name: ENTRY_NAME, content: small },
          { name: '../x', content: small },
        ]),
      }),
    'its zip holds 2 files instead of one',
  ],
  [
    '10,000 files',
    async () => {
      const entries = Array.from({ length: 10_000 }, (_, index) => ({ name: `${index}`, content: small, method: 0 }))
      return Promise.resolve({ bytes: rawZip(entries) })
    },
    'its zip holds 10000 files instead of one',
  ],
  [
    '1 GB of zeros in a zip of less than 1 MB, which says so',
    async () => ({ bytes: rawZip([{ name: ENTRY_NAME, content: small, packed: await zeros(1e9), size: 1e9 }]) }),
    'it is larger than 1000000 bytes',
  ],
  [
    '1 GB of zeros in a zip that says 2 bytes',
    async () => ({ bytes: rawZip([{ name: ENTRY_NAME, content: small, packed: await zeros(1e9) }]) }),
    'it is larger than 1000000 bytes',
  ],
  [
    'more than 1 MB of which the service knows',
    async () => Promise.resolve({ bytes: Buffer.alloc(1_000_001) }),
    'it is larger than 1000000 bytes',
  ],
  [
    '100 MB of which the service does not know',
    async () => Promise.resolve({ bytes: Buffer.alloc(1e8), size: 100 }),
    'it is larger than 1000000 bytes',
  ],
  [
    'a file name that leads out of its folder',
    async () => Promise.resolve({ bytes: one('x'), fileName: '../../../evil.json' }),
    'its zip holds another file than size-record.json',
  ],
  [
    'bytes that are no text',
    async () => Promise.resolve({ bytes: Buffer.from([0xff, 0xfe, 0x00]), mimeType: 'application/json' }),
    'it is not text in UTF-8',
  ],
  [
    'nothing but the beginning of a zip',
    async () => Promise.resolve({ bytes: Buffer.from('PK\x03\x04') }),
    'its zip is cut short',
  ],
]

test.each(HOSTILE)('%s', async (label, artifact, reason) => {
  await using service = await planted(await artifact())
  await using step = await artifactStep(service.env({ runId: 1 }), { limits: { timeMs: 20_000 } })
  const before = process.memoryUsage().rss
  expect(await step.fetch('own')).toEqual({
    kind: 'fetched',
    texts: [{ name: HONEST, text: '"honest"' }],
    left: [{ name: NAME, reason }],
  })
  expect(process.memoryUsage().rss - before).toBeLessThan(150e6)
  // It was looked at, unless the service had said enough.
  expect(service.stats().calls.get > 1).toBe(!label.includes('of which the service knows'))
  // What sockets had buffered when a transfer was cut off counts as sent.
  expect(service.stats().bytesDown).toBeLessThan(3 * 8e6)
  expect(existsSync(join(dirname(step.folder), 'evil.json'))).toBe(false)
})

test('an artifact that is not packed counts as it is', async () => {
  await using service = await planted({ bytes: Buffer.from('"raw"'), mimeType: 'application/json', fileName: 'a.json' })
  await using step = await artifactStep(service.env({ runId: 1 }))
  expect(await step.fetch('own')).toMatchObject({ texts: [{ text: '"raw"' }, { text: '"honest"' }], left: [] })
})

test('of too many artifacts some are left out, and named', async () => {
  await using service = await startArtifactService()
  for (let index = 0; index < 6; index++) {
    await service.plant({ by: { runId: 1 }, name: artifactName(leg(`t${index}`), 1), bytes: one(ENTRY_NAME) })
  }
  await using step = await artifactStep(service.env({ runId: 1 }), { limits: { artifacts: 4 } })
  const got = await step.fetch('own')
  expect(got).toMatchObject({ kind: 'fetched', texts: [{}, {}, {}, {}] })
  expect(got.kind === 'fetched' && got.left.map(({ reason }) => reason)).toEqual(Array(2).fill('there are more than 4'))
  expect(service.stats().calls.get).toBe(4)
})

test.each([
  ['deep', '['.repeat(999_999)],
  ['deep and closed', '['.repeat(499_999) + ']'.repeat(499_999)],
  ['deep in objects', '{"records":'.repeat(90_000)],
  ['wide', `{"version":1,"records":[${'{},'.repeat(300_000)}{}]}`],
  ['a prototype', '{"version":1,"records":[{"__proto__":{"id":"x"}}],"__proto__":{"records":[]}}'],
  ['a number of many digits', `{"version":${'9'.repeat(900_000)}}`],
])('JSON that is %s', (_, text) => {
  const start = performance.now()
  const { records, left } = gatherRecords([{ name: NAME, text }])
  expect(records).toEqual([])
  expect(left).toEqual([{ name: NAME, reason: expect.stringMatching(/^it /) as unknown }])
  expect(performance.now() - start).toBeLessThan(2_000)
})
