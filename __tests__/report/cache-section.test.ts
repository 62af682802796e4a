import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Marked } from 'marked'
import type { CacheFacts, CacheImport, CacheSearch, MountFacts } from '../../src/report/cache-facts.ts'
import { layerCache } from '../../src/report/cache-section.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import { cacheFacts, summary, target } from '../support/summary-examples.ts'

const marked = new Marked({ gfm: true, async: false })
const NOW = Date.UTC(2026, 10, 20, 12)
const MAIN = 'refs/heads/main'

function section(facts: Partial<CacheFacts>, targets = [target('app', { steps: { run: 2, cached: 5 } })]): string {
  return layerCache(summary({ targets, cache: cacheFacts({ now: NOW, ...facts }) })) ?? ''
}

/** The sentences beneath the table. */
function sentences(facts: Partial<CacheFacts>): readonly string[] {
  return section(facts)
    .split('\n')
    .flatMap((line) => (line.startsWith('- ') ? [line.slice(2)] : []))
}

/** Cells of the table's rows. */
function rows(markdown: string): readonly (readonly string[])[] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(2).map((line) => line.slice(2, -2).split(' | '))
}

function imported(more: Partial<CacheImport> = {}): CacheImport {
  return { ref: MAIN, createdAt: NOW - 3 * 60_000, layers: 12, ...more }
}

function search(outcome: CacheSearch['outcome'], more: Partial<CacheSearch> = {}): CacheSearch {
  return { source: 'own', ref: MAIN, outcome, ...more }
}

describe('the section', () => {
  test('is there when there was a cache and something to build', () => {
    expect(layerCache(summary({ targets: [target('app')] }))).toBeUndefined()
    expect(layerCache(summary({ targets: [], cache: cacheFacts() }))).toBeUndefined()
  })

  test('reads well', () => {
    const facts: Partial<CacheFacts> = {
      searches: [search('none', { ref: 'refs/pull/7/merge' }), search('found', { source: 'base' })],
      imports: new Map([['app', [imported()]]]),
      ...{ packsFetched: 2, bytesFetched: 12e6, bytesProxied: 3e6, bytesSaved: 5e6, savedLater: true },
    }
    expect(section(facts)).toBe(
      [
        '#### Layer cache',
        '',
        '| Target | Cache used | Steps from cache |',
        '| :-- | :-- | --: |',
        '| `app` | `main`, 3 min old, 12 layers | 5 of 7 |',
        '',
        '- No cache of this branch (`pull/7/merge`) yet.',
        '- Fetched 12.0 MB in 2 entries from GitHub’s cache service; 3.00 MB of base images passed on.',
        '- The post step saves 5.00 MB of new layers.',
      ].join('\n'),
    )
  })

  test('of a build that nothing is known of says so, without numbers that are none', () => {
    expect(rows(section({}, [target('app', { status: 'skipped', steps: undefined })]))).toEqual([
      ['`app`', 'none', '–'],
    ])
  })

  test('lists fifty targets, and counts the others', () => {
    const targets = (count: number) => Array.from({ length: count }, (_, index) => target(`t${index}`))
    expect(rows(section({}, targets(50)))).toHaveLength(50)
    expect(section({}, targets(50))).not.toContain('left out')
    expect(section({}, targets(51))).toContain('\n\n1 more target left out.\n\n- ')
    expect(section({}, targets(60))).toContain('\n\n10 more targets left out.\n\n- ')
    expect(rows(section({}, targets(60)))).toHaveLength(50)
  })
})

describe('the cache that a target used', () => {
  const used = (...imports: readonly CacheImport[]): string =>
    rows(section({ imports: new Map([['app', imports]]) }))[0]?.[1] ?? ''

  test('is told with its age and its layers', () => {
    expect(used(imported({ layers: 1 }))).toBe('`main`, 3 min old, 1 layer')
    expect(used(imported({ ref: 'refs/tags/v1' }))).toBe('`v1`, 3 min old, 12 layers')
    expect(used(imported({ ref: 'local' }))).toBe('`local`, 3 min old, 12 layers')
  })

  test('of a clock that goes before ours is not from the future', () => {
    expect(used(imported({ createdAt: NOW + 60_000 }))).toBe('`main`, 0 ms old, 12 layers')
  })

  test('is told once where a failed build left more of it', () => {
    expect(used(imported({ layers: 3 }), imported({ layers: 9 }), imported({ layers: 4 }))).toBe(
      '`main`, 3 min old, 9 layers',
    )
  })

  test('of many branches names three', () => {
    const refs = ['a', 'b', 'c', 'd', 'e'].map((name) => imported({ ref: `refs/heads/${name}`, layers: 1 }))
    expect(used(...refs.slice(0, 2))).toBe('`a`, 3 min old, 1 layer and `b`, 3 min old, 1 layer')
    expect(used(...refs)).toMatch(/^`a`.*`b`.*`c`.* and 2 more$/)
  })
})

describe('each sentence', () => {
  const QUIET = ['Nothing was fetched from GitHub’s cache service.', 'Nothing new to save.']
  test.each<[string, Partial<CacheFacts>, readonly string[]]>([
    ['nothing happened', {}, QUIET],
    ['the directory', { backend: 'directory' }, ['Nothing was fetched from the cache directory.', QUIET[1] ?? '']],
    ['only reading', { writes: false }, [QUIET[0] ?? '', 'This run only reads the cache.']],
    [
      'only reading, whatever there was',
      { writes: false, bytesSaved: 5 },
      [QUIET[0] ?? '', 'This run only reads the cache.'],
    ],
    ['saved', { bytesSaved: 0 }, [QUIET[0] ?? '', 'Saved 0 B of new layers.']],
    [
      'one entry',
      { packsFetched: 1, bytesFetched: 1e6 },
      ['Fetched 1.00 MB in 1 entry from GitHub’s cache service.', QUIET[1] ?? ''],
    ],
    [
      'base images passed on and nothing fetched',
      { bytesProxied: 1e6 },
      ['Nothing was fetched from GitHub’s cache service; 1.00 MB of base images passed on.', QUIET[1] ?? ''],
    ],
    ['found', { searches: [search('found')] }, QUIET],
    [
      'none of the default branch',
      { searches: [search('none', { source: 'default' })] },
      ['No cache of the default branch (`main`) yet.', ...QUIET],
    ],
    [
      'a failed search',
      { searches: [search('failed', { source: 'base', reason: 'the service answered 500' })] },
      ['The cache of the base branch (`main`) could not be read: the service answered 500.', ...QUIET],
    ],
    [
      'an unusable index',
      { searches: [search('unusable', { reason: 'a newer version of stage-build wrote it' })] },
      ['The cache of this branch (`main`) is not used: a newer version of stage-build wrote it.', ...QUIET],
    ],
    [
      'no reason',
      { searches: [search('unusable')] },
      ['The cache of this branch (`main`) is not used: no reason given.', ...QUIET],
    ],
    ['one evicted', { gone: 1 }, [...QUIET, '1 entry had been evicted; its layers were not used.']],
    ['several evicted', { gone: 2 }, [...QUIET, '2 entries had been evicted; their layers were not used.']],
    ['one not fetched', { failed: 1 }, [...QUIET, '1 entry could not be fetched.']],
    ['several not fetched', { failed: 3 }, [...QUIET, '3 entries could not be fetched.']],
    ['one damaged', { damaged: 1 }, [...QUIET, '1 layer did not have the bytes of its digest and was not used.']],
    [
      'several damaged',
      { damaged: 2 },
      [...QUIET, '2 layers did not have the bytes of their digest and were not used.'],
    ],
    [
      'left out',
      { bytesDropped: 7e9 },
      [...QUIET, '7.00 GB of layers were left out, since the cache would be larger than `cache-max-size`.'],
    ],
    ['trouble', { trouble: 'it could not be saved' }, [...QUIET, 'Trouble: it could not be saved.']],
  ])('%s', (_, facts, expected) => {
    expect(sentences(facts)).toEqual(expected)
  })

  test('is told once, when everything happens at once', () => {
    const all = sentences({
      searches: [
        search('none'),
        search('failed', { source: 'base', reason: 'x' }),
        search('unusable', { source: 'default' }),
      ],
      ...{ packsFetched: 1, bytesFetched: 1, bytesProxied: 1, bytesSaved: 1, bytesDropped: 1, gone: 1, failed: 1 },
      ...{ damaged: 1, trouble: 'x' },
    })
    expect(all).toHaveLength(10)
    expect(new Set(all.map((sentence) => sentence.replace(/\(.*?\)/, ''))).size).toBe(10)
  })
})

/** The elements of the page, in order. */
function elements(html: string): readonly string[] {
  return [...html.matchAll(/<([a-z0-9]+|!--)/gi)].map((match) => match[1] ?? '')
}

/** What others may write into it. */
const anyText = fc.oneof(
  fc.constantFrom(...HOSTILE_NAMES),
  fc.constantFrom(
    '@octocat',
    'fixes #1',
    '| a | b |',
    '`',
    '``',
    'a\n\n# b',
    '<img src=x onerror=x>',
    '[x](https://x.y)',
  ),
  fc.string({ unit: 'binary', maxLength: 300 }),
)

describe('whatever is in a ref, a reason or a name', () => {
  const shape = (ref: string, reason: string, name: string): readonly string[] => {
    const facts: Partial<CacheFacts> = {
      imports: new Map([[name, [imported({ ref }), imported({ ref: `${ref}x` })]]]),
      searches: [search('none', { ref }), search('failed', { ref, reason }), search('unusable', { reason })],
      trouble: reason,
    }
    const html = marked.parse(section(facts, [target(name), target('next')]), { async: false })
    // Nothing in plain words speaks to anybody or leads anywhere.
    const words = html
      .replaceAll(/<code>.*?<\/code>/gs, '')
      .replaceAll(/&#(\d+);/g, (_, n: string) => String.fromCodePoint(Number(n)))
    expect(words).not.toMatch(/@\w|#\d|www\.\w/)
    // A reason may quote a name in backticks.
    return elements(html).filter((element) => element !== 'code')
  }
  const plain = shape('refs/heads/main', 'a reason', 'app')

  test('the page is the same, and a plain one has what it should', () => {
    expect(plain).toEqual([
      ...['h4', 'table', 'thead', 'tr', 'th', 'th', 'th', 'tbody', 'tr', 'td', 'td', 'td', 'tr', 'td', 'td', 'td'],
      ...['ul', 'li', 'li', 'li', 'li', 'li', 'li'],
    ])
    fc.assert(
      fc.property(anyText, anyText, anyText, (ref, reason, name) => {
        expect(shape(ref, reason, name)).toEqual(plain)
      }),
      { numRuns: 500 },
    )
  })
})

describe('of cache mounts', () => {
  const mount = (more: Partial<MountFacts>): MountFacts => ({ id: 'go', putIn: 'none', takenOut: 'not-run', ...more })
  const told = (...mounts: readonly MountFacts[]): readonly string[] =>
    sentences({ mounts }).filter((sentence) => sentence.includes('cache mount') || sentence.startsWith('Cache mount'))

  test('it tells what was put in and taken out', () => {
    const putIn = { bytes: 210e6, ref: MAIN, savedAt: NOW - 2 * 60 * 60_000 }
    expect(told(mount({ putIn, takenOut: { bytes: 211e6 } }))).toEqual([
      'Cache mount `go`: 210 MB of `main` were put in, 2 h old; 211 MB taken out.',
    ])
    expect(told(mount({ takenOut: { tooLarge: 3e9 } }))).toEqual([
      'Cache mount `go`: there was nothing to put in; its 3.00 GB are over `cache-mounts-max-size` and were not saved.',
    ])
    expect(told(mount({ putIn, takenOut: 'unchanged' }))).toEqual([
      'Cache mount `go`: 210 MB of `main` were put in, 2 h old; the build left it as it is saved.',
    ])
  })

  test('it is silent about mounts that nothing was done with, and short about many', () => {
    expect(told(mount({}), mount({ putIn: 'cached' }))).toEqual([])
    const many = Array.from({ length: 20 }, () => mount({ takenOut: 'empty' }))
    expect(told(...many)).toHaveLength(13)
    expect(told(...many).at(-1)).toBe('8 more cache mounts.')
  })

  test.each(HOSTILE_NAMES)('an id stays text: %j', (id) => {
    const [line = ''] = told(mount({ id, takenOut: 'empty' }))
    expect(marked.parseInline(line)).toMatch(
      /^Cache mount <code>[^<>]*<\/code>: there was nothing to put in; the build left it empty\.$/,
    )
  })
})
