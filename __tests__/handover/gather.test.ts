/** Which of the records that were handed over count, and what is missing. */
import { describe, expect, test } from '@jest/globals'
import { artifactName, secondName } from '../../src/handover/artifact-name.ts'
import type { HandedOver } from '../../src/handover/artifacts.ts'
import { gatherRecords, leftOutWarning, legOf, type Gathered } from '../../src/handover/gather.ts'
import { writeSizeRecords, type SizeRecord } from '../../src/measure/size-record.ts'
import { recordOf, sizesOf } from '../support/size-records.ts'

const COMMIT = 'c0ffee1'.padEnd(40, '0')

/** Of a target on some platforms, as long as the text is of bytes. */
function record(target: string, size: number, ...platforms: readonly string[]): SizeRecord {
  return recordOf({ target, platforms: platforms.map((platform) => sizesOf({ platform, layers: [{ size }] })) })
}

function handed(attempt: number, ...records: readonly SizeRecord[]): HandedOver {
  return { name: artifactName(legOf(records), attempt), text: writeSizeRecords(records) }
}

/** `target platform size` of all that counts. */
function told({ records }: Gathered): readonly string[] {
  return records
    .flatMap(({ record: { target, platforms } }) =>
      platforms.map(({ platform, transfer }) => `${target} ${platform} ${String(transfer.total)}`),
    )
    .sort()
}

const reasons = ({ left }: Gathered): readonly string[] => left.map(({ reason }) => reason)

describe('what counts', () => {
  test('all legs, whatever the order that they come in', () => {
    const texts = [
      handed(1, record('prod', 1, 'linux/amd64')),
      handed(1, record('prod', 2, 'linux/arm64')),
      handed(1, record('debug', 3, 'linux/amd64'), record('web', 4, 'linux/amd64')),
    ]
    const all = ['debug linux/amd64 3', 'prod linux/amd64 1', 'prod linux/arm64 2', 'web linux/amd64 4']
    expect(told(gatherRecords(texts))).toEqual(all)
    expect(gatherRecords([...texts].reverse())).toEqual(gatherRecords(texts))
  })

  test('the highest attempt of each identity, by number', () => {
    const texts = [9, 10, 2].map((attempt) => handed(attempt, record('prod', attempt, 'linux/amd64')))
    const gathered = gatherRecords(texts)
    expect(told(gathered)).toEqual(['prod linux/amd64 10'])
    expect(gathered.records.map(({ attempt }) => attempt)).toEqual([10])
    expect(gathered.left).toEqual([])
  })

  test('a higher attempt that measured a part of what a leg did replaces that part', () => {
    const texts = [
      handed(1, record('prod', 1, 'linux/amd64', 'linux/arm64'), record('web', 1, 'linux/amd64')),
      handed(2, record('prod', 2, 'linux/arm64')),
    ]
    expect(told(gatherRecords(texts))).toEqual(['prod linux/amd64 1', 'prod linux/arm64 2', 'web linux/amd64 1'])
  })

  test('of steps with different ids both, though the target is called the same', () => {
    const texts = [handed(1, recordOf({ id: 'api' })), handed(1, recordOf({ id: 'web' }))]
    expect(
      gatherRecords(texts)
        .records.map(({ record: { id } }) => id)
        .sort(),
    ).toEqual(['api', 'web'])
  })

  test('a target that failed, though nothing of it was measured', () => {
    const failed = recordOf({
      status: 'failed',
      failure: 'RUN make failed',
      platforms: [],
      wantedPlatforms: ['linux/amd64'],
    })
    const texts = [handed(1, record('prod', 1, 'linux/amd64')), handed(2, failed)]
    expect(gatherRecords(texts).records).toEqual([
      expect.objectContaining({ attempt: 2, record: expect.objectContaining({ status: 'failed' }) as unknown }),
    ])
    expect(gatherRecords([handed(1, { ...failed, wantedPlatforms: [] })]).records).toHaveLength(1)
  })
})

test('a second upload of a leg counts as its first', () => {
  const { name, text } = handed(2, record('prod', 1, 'linux/amd64'))
  expect(told(gatherRecords([{ name: secondName(name), text }]))).toEqual(['prod linux/amd64 1'])
})

describe('what is missing', () => {
  const expected = {
    id: 'Dockerfile',
    cells: [
      { target: 'prod', platform: 'linux/amd64,linux/arm64' },
      { target: 'web', platform: '' },
    ],
  }

  test('targets on platforms that no leg handed over', () => {
    expect(gatherRecords([], { expected }).missing).toEqual([
      { target: 'prod', platform: 'linux/amd64' },
      { target: 'prod', platform: 'linux/arm64' },
      { target: 'web', platform: '' },
    ])
    const texts = [handed(1, record('prod', 1, 'linux/amd64')), handed(3, record('web', 1, 'linux/riscv64'))]
    expect(gatherRecords(texts, { expected }).missing).toEqual([{ target: 'prod', platform: 'linux/arm64' }])
  })

  test('not what failed before its platform was known; but what another id measured', () => {
    const failed = recordOf({ status: 'failed', platforms: [] })
    const web = recordOf({ id: 'other', target: 'web' })
    const { missing } = gatherRecords([handed(1, failed), handed(1, web)], { expected })
    expect(missing).toEqual([{ target: 'web', platform: '' }])
  })

  test('nothing without a plan', () => {
    expect(gatherRecords([])).toEqual({ records: [], left: [], missing: [] })
  })
})

describe('left out and named', () => {
  const honest = handed(1, record('prod', 1, 'linux/amd64'))
  const other = handed(1, record('web', 1, 'linux/amd64'))

  test.each([
    ['no JSON', { ...honest, text: '{' }, 'it is no JSON'],
    ['another version', { ...honest, text: '{"version":2,"records":[]}' }, 'it is of a version that is not known'],
    ['no records', { ...honest, text: '{"version":1,"records":[]}' }, 'it holds no size records'],
    ['too large', { ...honest, text: ' '.repeat(1_000_001) }, 'it is larger than 1000000 bytes'],
    ['a name that is not ours', { ...honest, name: 'coverage' }, 'its name is not one of ours'],
    ['under the name of another leg', { ...honest, name: other.name }, 'it is about other targets than its name says'],
    [
      'about several ids',
      handed(1, recordOf({ id: 'a' }), recordOf({ id: 'b' })),
      'it is about other targets than its name says',
    ],
    ['another commit', handed(1, recordOf({ target: 'web', commit: 'b'.repeat(40) })), 'it is about another commit'],
    ['no commit', handed(1, recordOf({ target: 'web', commit: undefined })), 'it is about another commit'],
  ])('%s', (_, forged, reason) => {
    const gathered = gatherRecords([forged, handed(2, record('kept', 1, 'linux/amd64'))], { commit: COMMIT })
    expect(reasons(gathered)).toEqual([reason])
    expect(told(gathered)).toEqual(['kept linux/amd64 1'])
  })

  test('in one sentence', () => {
    const left = [{ name: 'a', reason: 'it is no JSON' }]
    expect(leftOutWarning([])).toBeUndefined()
    expect(leftOutWarning(left)).toBe('Sizes that were handed over are left out of the report: a (it is no JSON).')
    expect(leftOutWarning([...left, ...left])).toMatch(/\(it is no JSON\), and 1 more\.$/)
  })
})
