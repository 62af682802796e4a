import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Marked } from 'marked'
import { code, codeBlock, details, htmlCode, prose, table, visible } from '../../src/report/markdown.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'

const marked = new Marked({ gfm: true, async: false })

/** The elements that a Markdown renderer makes of it, in order. */
function elements(markdown: string): readonly string[] {
  const html = marked.parse(markdown, { async: false })
  return [...html.matchAll(/<([a-z0-9]+|!--)/gi)].map((match) => match[1] ?? '')
}

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&' }

/** What a reader sees of it. */
function text(markdown: string): string {
  return marked
    .parse(markdown, { async: false })
    .replace(/<[^>]*>/g, '')
    .replace(/&(?:#(\d+)|(\w+));/g, (_, n: string | undefined, name: string) =>
      n === undefined ? (NAMED[name] ?? '?') : String.fromCodePoint(Number(n)),
    )
    .replace(/\u200b/g, '')
    .trim()
}

describe('a name', () => {
  test('that is plain stays readable in the source', () => {
    expect(code('ghcr.io/org/app:1.2-x')).toBe('`ghcr.io/org/app:1.2-x`')
    expect(code('stage 0')).toBe('`stage 0`')
  })

  test.each(HOSTILE_NAMES.map((name) => [name.slice(0, 40), name]))(
    '%j is one code span, and nothing else',
    (_, name) => {
      for (const markdown of [code(name), `- ${code(name)}`, `#### ${code(name)}`]) {
        expect(elements(markdown).filter((element) => !['p', 'ul', 'li', 'h4'].includes(element))).toEqual(['code'])
        expect(text(markdown)).toBe(visible(name).trim())
      }
    },
  )

  test.each(HOSTILE_NAMES.map((name) => [name.slice(0, 40), name]))('%j stays in its table cell', (_, name) => {
    const rows = [[code(name), 'next']]
    expect(elements(table([{ title: 'A' }, { title: 'B' }], rows))).toEqual([
      ...['table', 'thead', 'tr', 'th', 'th'],
      ...['tbody', 'tr', 'td', 'code', 'td'],
    ])
  })

  test.each(HOSTILE_NAMES.map((name) => [name.slice(0, 40), name]))('%j leaves a folded block whole', (_, name) => {
    expect(elements(details(htmlCode(name), 'body'))).toEqual(['details', 'summary', 'code', 'p'])
  })

  test('of any kind is one code span', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (name) => {
        expect(elements(`x ${code(name)} y`)).toEqual(['p', 'code'])
      }),
    )
  })

  test('of 60,000 characters is cut in the middle, with a mark', () => {
    const shown = visible(`start-${'x'.repeat(60_000)}-end`, 30)
    expect(Array.from(shown)).toHaveLength(30)
    expect(shown).toMatch(/^start-x+…x+-end$/)
    expect(visible('x'.repeat(100), 100)).not.toContain('…')
  })

  test('shows what would hide or reorder text', () => {
    expect(visible('abc\u202edcba\u200b\u0007')).toBe('abc\\u{202e}dcba\\u{200b}\\u{7}')
    expect(visible('a\nb\tc')).toBe('a b c')
  })

  test('is not cut within a surrogate pair', () => {
    expect(visible('😀'.repeat(200), 20).isWellFormed()).toBe(true)
    expect(visible('😀'.repeat(20), 20)).toBe('😀'.repeat(20))
  })
})

describe('a sentence', () => {
  test('keeps what our own messages put between backticks', () => {
    expect(prose('There is no stage `prdo`. Did you mean `prod`?')).toBe(
      'There is no stage `prdo`. Did you mean `prod`?',
    )
  })

  test.each(HOSTILE_NAMES.map((name) => [name.slice(0, 40), name]))('%j has no structure', (_, name) => {
    for (const markdown of [prose(name, 300), `- ${prose(name, 300)}`]) {
      const expected = markdown.startsWith('- ') ? ['ul', 'li'] : ['p']
      expect(elements(markdown).filter((element) => element !== 'code')).toEqual(
        text(markdown) === '' && expected[0] === 'p' ? [] : expected,
      )
    }
  })

  test('of any kind makes at most code spans', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 80 }), (sentence) => {
        expect(elements(`- x ${prose(sentence)}`).filter((element) => element !== 'code')).toEqual(['ul', 'li'])
      }),
      { numRuns: 1_000 },
    )
  })

  test('mentions nobody, refers to nothing and links nowhere after entities are decoded', () => {
    const decoded = prose('@octocat org/repo#1 GH-1 www.example.com http://example.com a@example.com $x$').replace(
      /&#(\d+);/g,
      (_, n: string) => String.fromCodePoint(Number(n)),
    )
    expect(decoded).not.toMatch(/@\w|#\d|GH-\d|www\.\w|\$x/)
  })
})

describe('a code block', () => {
  test('has a fence that is longer than any within', () => {
    expect(codeBlock(['a', '````', '`````x'])).toBe('``````\na\n````\n`````x\n``````')
    expect(elements(codeBlock(['```', '# no heading', '<b>', '```']))).toEqual(['pre', 'code'])
  })

  test('drops terminal colours and what progress bars overwrote, and shows other control characters', () => {
    expect(codeBlock(['\u001b[31mred\u001b[39m', '10%\r50%\r100%\r', 'a\u202eb']).split('\n')).toEqual([
      '```',
      'red',
      '100%',
      'a\\u{202e}b',
      '```',
    ])
  })

  test('keeps the last lines and says how many came before', () => {
    const lines = Array.from({ length: 50 }, (_, i) => `line ${i}`)
    expect(codeBlock(lines, { maxLines: 2 })).toBe('```\n… 48 earlier lines\nline 48\nline 49\n```')
  })

  test('bounds each line', () => {
    expect(codeBlock(['x'.repeat(60_000)], { maxLineLength: 50 }).length).toBeLessThan(70)
  })
})
