import { describe, expect, test } from '@jest/globals'
import { Marked } from 'marked'
import { renderMatrixSummary, type MatrixRow } from '../../src/report/matrix-summary.ts'
import { whyBuilt } from '../../src/report/reasons-section.ts'
import type { ReasonReport } from '../../src/report/summary-data.ts'
import { HOSTILE_NAMES } from '../support/hostile-names.ts'
import { digestOf, summary, target } from '../support/summary-examples.ts'

const marked = new Marked({ gfm: true, async: false })

function reason(text: string, more: Partial<ReasonReport> = {}): ReasonReport {
  return { text, stage: 'build', line: 4, ...more }
}

/** Tags that our own Markdown brings; anything else came from a name. */
function foreignTags(markdown: string): readonly string[] {
  const html = marked.parse(markdown) as string
  const ours = /^<\/?(?:p|table|thead|tbody|tr|t[hd]|strong|code|sub|br|h4)(?: align="[a-z]+")?\s*\/?>$/
  return (html.match(/<[a-z/!][^>]*>/gi) ?? []).filter((tag) => !ours.test(tag))
}

describe('why targets are built', () => {
  test('is told for each with the stage and the line, and since when nothing changed for the others', () => {
    const targets = [
      target('app', {
        reasons: [reason('src/a.go changed'), reason('`labels` changed', { stage: undefined, line: undefined })],
      }),
      target('debug', { status: 'unchanged', since: 'nothing changed since the build of main at 1234567' }),
      target('old'),
    ]
    expect(whyBuilt(summary({ targets }))).toBe(
      [
        '#### Why',
        '',
        '| Target | What changed since it was built last |',
        '| :-- | :-- |',
        '| `app` | src/a.go changed <sub>`build` line 4</sub><br>`labels` changed |',
        '| `debug` | nothing changed since the build of main at 1234567 |',
      ].join('\n'),
    )
    expect(whyBuilt(summary({ targets: [target('old')] }))).toBeUndefined()
  })

  test('is cut where there is too much of it, and says so', () => {
    const reasons = Array.from({ length: 12 }, (_, index) => reason(`file-${index} changed`))
    const many = Array.from({ length: 5 }, (_, index) => target(`t${index}`, { reasons }))
    const section = whyBuilt(summary({ targets: many }), 3) ?? ''
    expect(section).toContain('file-7 changed')
    expect(section).not.toContain('file-8 changed')
    expect(section).toContain('and 4 more reasons')
    expect(section).toContain('2 more targets left out.')
  })

  test.each(HOSTILE_NAMES)('shows %j and does nothing with it', (name) => {
    const told = target(name, { reasons: [reason(`${name} changed`, { stage: name })] })
    const section = whyBuilt(summary({ targets: [told, target('x', { since: name })] })) ?? ''
    expect(foreignTags(section)).toEqual([])
    // Head, rule and two rows: no name makes a row of its own, or ends the table.
    expect(section.split('\n').filter((line) => line.startsWith('|'))).toHaveLength(4)
  })
})

describe('the summary of a matrix', () => {
  const row = (more: Partial<MatrixRow>): MatrixRow => ({
    ...{ name: 'app', status: 'unchanged', tags: ['r/app:1'], digest: digestOf(1), written: false, problem: undefined },
    ...more,
  })

  test('says what became of every target', () => {
    const rows = [
      row({ name: 'api', status: 'changed', digest: undefined }),
      row({ name: 'web', written: true, tags: ['r/web:1', 'r/web:2'] }),
      row({ name: 'db' }),
      row({ name: 'gone', problem: { message: 'It is gone.' } }),
    ]
    const markdown = renderMatrixSummary(rows, { pushes: true })
    expect(markdown.split('\n')[0]).toBe(
      '**1 of 4 targets to build, 3 unchanged, 1 re-tagged, 1 could not be re-tagged**',
    )
    expect(markdown).toContain('| `api` | changed: built by its own job | `r/app:1` |  |')
    expect(markdown).toMatch(/\| `web` \| unchanged, re-tagged \| `r\/web:1` \+1 \| `[0-9a-f]{12}` \|/)
    expect(markdown).toContain('| `db` | unchanged, its tags are there already |')
    expect(markdown).toContain('| `gone` | ❌ It is gone. |')
    expect(renderMatrixSummary([row({})], { pushes: false })).toContain('**0 of 1 target to build, 1 unchanged**')
  })

  test.each(HOSTILE_NAMES)('shows %j and does nothing with it', (name) => {
    const markdown = renderMatrixSummary([row({ name, tags: [name], problem: { message: name } })], { pushes: true })
    expect(foreignTags(markdown)).toEqual([])
    expect(markdown.split('\n').filter((line) => line.startsWith('|'))).toHaveLength(3)
  })
})
