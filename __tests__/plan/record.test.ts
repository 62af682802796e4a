/** Records: written once and read back, and what is not one is none. */
import { describe, expect, test } from '@jest/globals'
import { reasonsOf } from '../../src/plan/compare.ts'
import { readRecords, writeRecords, type TargetRecord } from '../../src/plan/record.ts'
import { printed, type PrintCase } from '../support/prints.ts'

const TEXT = `FROM img AS build
ARG V=1
COPY a /
RUN --mount=from=tools,target=/t make
FROM build AS app
CMD ["x"]
FROM build AS test
RUN check
`
const DIGEST = `sha256:${'a'.repeat(64)}`

function record(options: PrintCase = {}, text = TEXT): TargetRecord {
  const { target } = printed(text, options)
  if (target.fingerprint === undefined) throw new Error('no fingerprint')
  const { platforms, fields } = target
  return {
    ...{ createdAt: '2026-01-02T03:04:05.000Z', commit: 'c'.repeat(40), fingerprint: target.fingerprint },
    print: { platforms, fields },
    files: new Map([[DIGEST, new Map([['a', '1']])]]),
    image: { digest: DIGEST, repositories: ['ghcr.io/o/app'], imageId: DIGEST, sizes: { any: 1 } },
  }
}

/** As it is kept: text. */
function kept(records: Readonly<Record<string, TargetRecord>>): unknown {
  return JSON.parse(JSON.stringify(writeRecords(new Map(Object.entries(records)))))
}

/** Another value at a path of keys. */
function changed(json: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (Array.isArray(json)) {
    const items: readonly unknown[] = json
    return items.map((item, index) => (index === key ? changed(item, rest, value) : item))
  }
  const map = json as Readonly<Record<string, unknown>>
  return { ...map, [key]: changed(map[key], rest, value) }
}

/** Every path to a value in JSON. */
function paths(json: unknown, path: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  if (typeof json !== 'object' || json === null) return [path]
  const entries = Array.isArray(json) ? [...json.entries()] : Object.entries(json)
  return [path, ...entries.flatMap(([key, value]) => paths(value, [...path, key]))]
}

describe('records', () => {
  test('are read as they were written', () => {
    const app = record({ target: 'app' })
    const again = readRecords(kept({ app })).get('app')
    expect(again).toEqual(app)
    const now = printed(TEXT, { target: 'app', args: { V: '2' } }).target
    const before = { print: again?.print ?? now, filesOf: () => undefined }
    expect(reasonsOf(before, { print: now, filesOf: () => undefined })).toMatchObject([{ kind: 'arg', line: 2 }])
  })

  test('without an image that was pushed', () => {
    const app = { ...record(), image: { digest: undefined, repositories: [], imageId: undefined, sizes: undefined } }
    expect(readRecords(kept({ app })).get('app')?.image).toEqual(app.image)
  })

  test('keep stages and files that targets share once', () => {
    const [one, two] = [record({ target: 'app' }), record({ target: 'test' })]
    const json = kept({ app: one, test: two }) as { stages: object; files: object }
    expect(Object.keys(json.stages)).toHaveLength(3)
    expect(Object.keys(json.files)).toHaveLength(1)
    expect([...readRecords(json).keys()]).toEqual(['app', 'test'])
  })

  test('a target may be called as any property', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const records = new Map(names.map((name) => [name, record()]))
    const json: unknown = JSON.parse(JSON.stringify(writeRecords(records)))
    expect([...readRecords(json).keys()].sort()).toEqual([...names].sort())
  })

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'records'],
    ['a list', []],
    ['nothing in it', {}],
    ['another version', changed(kept({ app: record() }), ['version'], 2)],
    ['no targets', changed(kept({ app: record() }), ['targets'], [])],
    ['no stages', changed(kept({ app: record() }), ['stages'], {})],
  ])('%s is no record', (_what, json) => {
    expect(readRecords(json).size).toBe(0)
  })

  test('whatever stands in place of a value, it is no record or a whole one', () => {
    const json = kept({ app: record() })
    const hostile: readonly unknown[] = [
      undefined, null, -1, 1.5, 1e99, '', 'x'.repeat(30_000), [], {}, [[]], { length: 9 }, true,
    ] // prettier-ignore
    for (const path of paths(json)) {
      for (const value of hostile) {
        const found = readRecords(changed(json, path, value)).get('app')
        if (found === undefined) continue
        // What is read can be compared and written without a look at its types.
        // Without one it is equal to nothing.
        expect(found.fingerprint ?? DIGEST).toMatch(/^sha256:[0-9a-f]{64}$/)
        const now = printed(TEXT).target
        expect(() =>
          reasonsOf({ print: found.print, filesOf: (digest) => found.files.get(digest) }, { print: now, filesOf: () => undefined }),
        ).not.toThrow() // prettier-ignore
        expect(readRecords(kept({ app: found })).get('app')).toEqual(found)
      }
    }
  })

  test('one without a fingerprint is kept, to be compared with', () => {
    const bare: TargetRecord = { ...record(), fingerprint: undefined, print: { platforms: [], fields: [] } }
    expect(readRecords(kept({ app: bare })).get('app')).toEqual(bare)
    const without = changed(kept({ app: record() }), ['targets', 'app', 'platforms'], [])
    expect(readRecords(without).size).toBe(0)
  })

  test('one that is broken leaves the others', () => {
    const json = changed(kept({ app: record(), other: record() }), ['targets', 'app', 'fingerprint'], 'sha256:0')
    expect([...readRecords(json).keys()]).toEqual(['other'])
  })

  test('more than their limits is none', () => {
    const many = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`t${i}`, {}]))
    expect(readRecords(changed(kept({ app: record() }), ['targets'], many)).size).toBe(0)
    const files = Object.fromEntries(Array.from({ length: 20_001 }, (_, i) => [`f${i}`, 'x']))
    const cut = readRecords(changed(kept({ app: record() }), ['files', DIGEST], files)).get('app')
    expect(cut?.files.get(DIGEST)?.size ?? 0).toBe(0)
    const steps = Array.from({ length: 5_001 }, () => ({}))
    const json = kept({ app: record() }) as { stages: Record<string, unknown> }
    const [stage = ''] = Object.keys(json.stages)
    expect(readRecords(changed(json, ['stages', stage, 'steps'], steps)).size).toBe(0)
  })
})
