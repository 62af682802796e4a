import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Marked } from 'marked'
import { renderSizeReport, sizeReportSection } from '../../src/report/size-report.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import { saying } from '../support/size-report-examples.ts'

/** Text of others in each place of a size report, through a real renderer: the report keeps its shape and its manners. */

const marked = new Marked({ gfm: true, async: false })
const MORE_NAMES = [
  '<!-- stage-build:report key=.github/workflows/docker.yml -->',
  '--> <!-- stage-build:data v1 H4sI -->',
  '<!-- stage-build',
  '-->',
  '<![CDATA[x]]>',
  '<?php x ?>',
  '[!WARNING]',
  '> [!CAUTION]\n> x',
  '\n\n> [!CAUTION]\n> x\n\n',
  '\n```mermaid\nflowchart LR\n```\n',
  '|\n| --- |\n| x |',
  'x | y | z',
  '::set-output name=x::y',
  '::add-mask::x',
  '](https://evil.example)[x',
  ')](https://evil.example)',
  '[x]: https://evil.example',
  '<https://evil.example>',
  '@acme/team @octocat',
  'acme/shop#12 #123 GH-12',
  'c0ffee1a7b3d5e9f8a6c4b2d0e1f3a5c7b9d8e6f',
  '**`**',
  '</sub></td></tr></table></details>',
  '<details open>',
  '&nbsp;&lt;!--&#45;&#45;&gt;',
  'a`b``c```d',
  '\u202e\u2066@octocat\u2069',
]
const NAMES = [...HOSTILE_NAMES, ...MORE_NAMES]

/** Opening tags in order, without links (a path that leads nowhere is not linked) and code (prose keeps backticks). */
function structure(html: string): readonly string[] {
  return [...html.matchAll(/<([a-z][a-z0-9]*)/gi)]
    .map((match) => match[1] ?? '')
    .filter((tag) => !['a', 'code'].includes(tag))
}

/** What GitHub looks through for mentions and references: text outside of code, entities decoded. */
function spoken(html: string): string {
  return html
    .replace(/<(code|pre)\b[^>]*>[\s\S]*?<\/\1>/g, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(?:#(\d+)|(\w+));/g, (_, n: string | undefined, name: string) =>
      n === undefined
        ? ({ lt: '<', gt: '>', quot: '"', amp: '&', nbsp: ' ' }[name] ?? '?')
        : String.fromCodePoint(Number(n)),
    )
}

/** Everything that must hold, whatever others wrote. */
function expectManners(name: string): void {
  const [report, context] = saying(name)
  const markdown = renderSizeReport(report, context)
  const html = marked.parse(markdown, { async: false })
  expect(structure(html)).toEqual(PLAIN)
  expect(html).not.toContain('<!')
  expect(markdown).not.toMatch(/<!|-->(?!\|)|<\?/)
  for (const [, href = ''] of html.matchAll(/href="([^"]*)"/g)) {
    expect(href).toMatch(
      /^https:\/\/github\.com\/acme\/shop\/(?:actions\/runs\/1850$|commit\/[0-9a-f]{40}$|blob\/[0-9a-f]{40}\/src\/)/,
    )
    expect(new URL(href).pathname).toMatch(/^\/acme\/shop\/(?:actions|commit|blob)\//)
  }
  expect(spoken(html)).not.toMatch(/@\w|#\d|\bGH-\d|www\.\w|[\u202a-\u202e\u2066-\u2069\u0000-\u0008]/)
  expect(markdown.isWellFormed()).toBe(true)
  expect(markdown.length).toBeLessThanOrEqual(60_000)
}

const PLAIN = structure(marked.parse(renderSizeReport(...saying('plain')), { async: false }))

test('the shape that is compared with holds every part', () => {
  expect(PLAIN.filter((tag) => tag === 'table')).toHaveLength(4)
  expect(PLAIN.filter((tag) => tag === 'details')).toHaveLength(3)
  expect(PLAIN.filter((tag) => tag === 'blockquote')).toHaveLength(2)
  expect(PLAIN).toContain('pre')
  const text = renderSizeReport(...saying('plain'))
  for (const part of ['**Packages:**', '**Base image:**', '**Waste:**', 'not checked', 'mermaid', 'was `plain`']) {
    expect(text).toContain(part)
  }
})

test.each(NAMES.map((name) => [name.slice(0, 50), name]))('%j changes nothing but what is read', (_, name) => {
  expectManners(name)
})

describe('text of any kind changes nothing but what is read', () => {
  test('random characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), (name) => {
        expectManners(name)
      }),
      { numRuns: 150 },
    )
  })

  test('what Markdown, HTML and Mermaid are made of', () => {
    const token = fc.constantFrom(
      ...[
        '<',
        '>',
        '<!--',
        '-->',
        '|',
        '`',
        '```',
        '~~~',
        '\n',
        '\n\n',
        '    ',
        '*',
        '_',
        '[',
        '](',
        ')',
        '!',
        '#',
        '&',
        ';',
      ],
      ...[
        '&#96;',
        '&lt;',
        '@a',
        '#1',
        '\\',
        '$',
        'http://x',
        '</details>',
        '</summary>',
        '<b>',
        'end',
        '%%{',
        '"',
        "'",
        'x',
        '- ',
        '1. ',
      ],
    )
    fc.assert(
      fc.property(
        fc.array(token, { minLength: 1, maxLength: 12 }).map((tokens) => tokens.join('')),
        (name) => {
          expectManners(name)
        },
      ),
      { numRuns: 400 },
    )
  })
})

test('a hostile megabyte finds room', () => {
  for (const long of ['<b>|`'.repeat(20_000), '日本語'.repeat(20_000), '@a '.repeat(30_000)]) {
    const [report, context] = saying(long)
    const rows = Array.from({ length: 40 }, (_, i) =>
      report.rows.map((row) => ({ ...row, target: `${i}${long}` })),
    ).flat()
    const many = { ...report, rows, missing: rows.map((row) => row.target) }
    const text = renderSizeReport(many, context)
    expect(text.length).toBeLessThanOrEqual(60_000)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_000)
    expect(Buffer.byteLength(sizeReportSection(many, context))).toBeLessThanOrEqual(300_000)
  }
})
