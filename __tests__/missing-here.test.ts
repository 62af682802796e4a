import { describe, expect, test } from '@jest/globals'
import { readInputs } from '../src/inputs.ts'
import { missingHere, type MissingQuestion } from '../src/missing-here.ts'
import { missing } from '../src/report/missing.ts'
import { HOSTILE_NAMES } from './support/hostile-names.ts'
import { graphOf } from './support/graph-outline.ts'
import { summary } from './support/summary-examples.ts'

const DEFAULTS: Readonly<Record<string, string>> = {
  'mode': 'build', 'cache': 'auto', 'cache-backend': 'auto', 'cache-mounts': 'auto', 'skip-unchanged': 'auto',
  'comment': 'size-changed', 'compression': 'gzip', 'retries': '2', 'cache-max-size': '1GB', 'cache-mounts-max-size': '1GB',
} // prettier-ignore

function question(inputs: Readonly<Record<string, string>>, more: Partial<MissingQuestion> = {}): MissingQuestion {
  return {
    inputs: readInputs((name) => inputs[name] ?? DEFAULTS[name] ?? '', {}).inputs,
    builder: { name: 'there', driver: 'kubernetes', loopback: false },
    ...{ isReached: false, isPushed: true, unmeasured: [], unread: { layers: 0, bytes: 0 } },
    ...{ graph: graphOf('FROM a\nRUN --mount=type=cache,target=/x y\n'), stages: [0] },
    ...more,
  }
}

const what = (asked: MissingQuestion): readonly string[] => missingHere(asked).map((row) => row.what)

describe('a builder that reaches nothing here', () => {
  test('has no layer cache and no cache mounts; what it would take is said', () => {
    expect(missingHere(question({}))).toEqual([
      {
        what: 'The layer cache',
        why: 'the builder `there` (driver kubernetes) cannot reach the registry that this step serves on the runner’s loopback',
        need: 'a registry for the cache: `cache-to: type=registry,ref=REGISTRY/cache:{target},mode=max`',
      },
      {
        what: 'Cache mounts of earlier runs',
        why: 'they are kept with the layer cache; a builder that lives on keeps its own',
        need: 'a builder that reaches the runner’s loopback',
      },
    ])
  })

  test('has a cache where a registry is named for it', () => {
    const [first] = missingHere(question({ 'cache-from': 'r/a:main', 'cache-to': 'type=registry,ref=r/a:{target}' }))
    expect(first?.why).toBe('BuildKit itself keeps the cache in `r/a:{target}` and `r/a:main`')
  })

  test('is not said to lack what nobody asked for', () => {
    expect(what(question({ 'cache': 'off' }))).toEqual([]) // prettier-ignore
    expect(what(question({ 'cache-to': 'type=gha', 'cache-mounts': 'off' }))).toEqual([])
    expect(what(question({ 'cache-to': 'type=gha' }, { graph: graphOf('FROM a\n') }))).toEqual([])
  })

  test.each([
    [false, /^the image is on the builder only/, '`push: true` with `tags`'],
    [true, /could not be read from the registry$/, 'a login for that registry in this job (docker/login-action)'],
  ])('tells no sizes of what cannot be read (pushed: %s)', (isPushed, why, need) => {
    const rows = missingHere(question({ cache: 'off' }, { isPushed, unmeasured: ['app', 'web'] }))
    expect(rows).toEqual([{ what: 'Sizes of `app` and `web`', why: expect.stringMatching(why) as unknown, need }])
  })

  test('has layers that are too large to be read back', () => {
    expect(what(question({ cache: 'off' }, { unread: { layers: 2, bytes: 3e8 } }))).toEqual([
      'Unpacked sizes and files of 2 layers (300 MB)',
    ])
  })
})

test('nothing is missing where copies of the images came here', () => {
  expect(what(question({}, { isReached: true }))).toEqual([])
})

test('hostile names stand in the table as text', () => {
  for (const name of HOSTILE_NAMES) {
    const asked = question({}, { builder: { name, driver: name, loopback: false }, unmeasured: [name] })
    const text = missing({ ...summary(), missing: missingHere(asked) }) ?? ''
    const rows = text.split('\n').slice(4)
    expect(rows.map((row) => row.split(/(?<!\\)\|/).length)).toEqual([5, 5, 5])
    expect(text).not.toMatch(/<(?!\/?code>|br>)/)
  }
})
