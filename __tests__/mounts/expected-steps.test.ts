/** Which steps are expected to run: those whose past no record knows. */
import { describe, expect, test } from '@jest/globals'
import { expectedToRun, type ExpectationQuestion } from '../../src/mounts/expected-steps.ts'
import { printed, type PrintCase } from '../support/prints.ts'

const TEXT = `FROM img AS deps
COPY lock .
RUN install
FROM deps AS build
COPY src src
RUN make
FROM img
COPY --from=build /out /
RUN finish
`
const FILES = { '/lock': '1', '/src': '1' }

/** Lines of the RUNs that are expected to run. */
function expected(
  before: PrintCase | undefined,
  now: PrintCase,
  {
    text = TEXT,
    noCache = new Set(),
  }: { readonly text?: string; readonly noCache?: ExpectationQuestion['noCache'] } = {},
): readonly number[] {
  const prints = printed(text, now).stages
  const recorded = before === undefined ? [] : printed(TEXT, before).stages
  const isExpected = expectedToRun({ prints, recorded, noCache })
  const runs = prints.flatMap(({ index, steps }) => steps.map(({ keyword, line }) => ({ keyword, line, stage: index })))
  return runs.filter((place) => place.keyword === 'RUN' && isExpected(place)).map(({ line }) => line)
}

describe('a RUN is expected to run', () => {
  const same: PrintCase = { files: FILES }
  test('where there is no record', () => {
    expect(expected(undefined, same)).toEqual([3, 6, 9])
  })

  test('not where nothing changed, but with no-cache', () => {
    expect(expected(same, same)).toEqual([])
    expect(expected(same, same, { noCache: 'all' })).toEqual([3, 6, 9])
    expect(expected(same, same, { noCache: new Set(['deps']) })).toEqual([3])
  })

  test('where something before it changed', () => {
    expect(expected(same, { files: { ...FILES, '/src': '2' } })).toEqual([6, 9])
    expect(expected(same, { files: { ...FILES, '/lock': '2' } })).toEqual([3, 6, 9])
    expect(expected(same, { ...same, images: { 'docker.io/library/img:latest': 'sha256:2' } })).toEqual([3, 6, 9])
    expect(expected(same, { ...same, platform: 'linux/arm64' })).toEqual([3, 6, 9])
    expect(expected(same, { ...same, runOptions: [['network', 'none']] })).toEqual([3, 6, 9])
  })

  test('not where what changed stands after it, or lines were only moved', () => {
    expect(expected(same, same, { text: TEXT.replace('RUN finish', 'RUN finished') })).toEqual([9])
    expect(expected(same, same, { text: `# a\n\nFROM other AS unused\n${TEXT}` })).toEqual([])
  })

  test('where something before it cannot be known', () => {
    const unknown = { ...same, images: { 'docker.io/library/img:latest': undefined } }
    expect(expected(unknown, unknown)).toEqual([3, 6, 9])
  })
})
