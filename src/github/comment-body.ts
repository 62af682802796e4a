/**
 * The text of the one comment on a pull request: sections of several identities, each between hidden markers, the worst
 * first, so that the first line is the verdict. Pure; what is read here was written by us, but anybody who may
 * edit comments may have changed it.
 *
 *     <!-- stage-build:report -->
 *     ### VERDICT
 *
 *     <!-- stage-build:section KEY -->
 *     <!-- stage-build:data BASE64URL -->
 *     CONTENT
 *     <!-- /stage-build:section KEY -->
 */
import { field, parseJson, text } from '../json-fields.ts'
import { createHash } from 'node:crypto'
import { commitName } from './answers.ts'

export const REPORT_MARKER = '<!-- stage-build:report -->'

/** A line that holds this may change without the comment being sent again: run links, times. */
export const VOLATILE_MARKER = '<!-- stage-build:volatile -->'

/** Characters of a comment at most; GitHub's own limit is 65,536. */
export const LONGEST_COMMENT = 60_000

/** What one step has to say. Texts are Markdown, already escaped. */
export interface CommentSection {
  /** The identity: whoever has the same one replaces this section. Any text. */
  readonly key: string
  /** One line; the heading of the section, and of the comment if no section is worse. */
  readonly verdict: string
  /** The worse, the higher: orders the sections. */
  readonly severity: number
  /** What follows the verdict. */
  readonly full: string
  /** The same for when there is no room for `full`. */
  readonly compact: string
  /** The head commit that it is about: sections of other commits are marked as such, and stand last. */
  readonly commit?: string | undefined
}

type Form = 'full' | 'compact' | 'verdict'

/** A section as it stands in a comment. */
export interface StoredSection {
  /** As it stands in the markers. */
  readonly name: string
  readonly verdict: string
  readonly severity: number
  readonly commit: string | undefined
  readonly form: Form
  readonly content: string
}

const LEFT_OUT = '<sub>There is no room for the details in this comment; they are in the job summary.</sub>'
const LONGEST_VERDICT = 1000

/** The sections of a comment. What is between them, or not as we write it, is dropped. */
export function parseComment(body: string): readonly StoredSection[] {
  const pattern =
    /^<!-- stage-build:section (\S{1,300}) -->\n<!-- stage-build:data ([\w-]+) -->\n([^]*?)\n<!-- \/stage-build:section \1 -->$/gm
  // GitHub's own editor writes CRLF.
  const found = [...body.replaceAll('\r\n', '\n').matchAll(pattern)].map(
    ([, name = '', data = '', content = '']): StoredSection => ({ name, ...decoded(data), content: content.trim() }),
  )
  return [...new Map(found.map((section) => [section.name, section])).values()]
}

/** What stands in the comment for a section, as `isSaid` compares it. */
export function findSection(sections: readonly StoredSection[], section: CommentSection): StoredSection | undefined {
  const name = sectionName(section.key)
  return sections.find((stored) => stored.name === name)
}

/** Whether a stored section says the same in the form that it has, but for volatile lines. */
export function isSaid(stored: StoredSection, section: CommentSection): boolean {
  const wanted = storedAs(section, stored.form)
  return (
    stored.verdict === wanted.verdict &&
    stored.severity === wanted.severity &&
    steady(stored.content) === steady(wanted.content)
  )
}

/** Beside sections of other jobs, which commit one is about is told; alone, it would be an edit for nothing. */
export function isOfCommit(stored: StoredSection, section: CommentSection, all: readonly StoredSection[]): boolean {
  return all.length === 1 || stored.commit === commitName(section.commit)
}

export interface Merged {
  readonly body: string
  /** How the own section stands in it. */
  readonly form: Form
}

/**
 * The comment with a section put in or replaced; those of others are kept as they are, unless there is no room even for
 * this one's verdict.
 * @param longest form to try first: `compact` once GitHub has found the comment too long
 */
export function mergeSection(
  sections: readonly StoredSection[],
  section: CommentSection,
  longest: 'full' | 'compact' = 'full',
): Merged {
  const name = sectionName(section.key)
  const others = sections.filter((stored) => stored.name !== name)
  const earlierShort = others.map((stored) => (isEarlier(stored, section.commit) ? shortened(stored) : stored))
  const forms: readonly Form[] = longest === 'full' ? ['full', 'compact'] : ['compact']
  for (const kept of [others, earlierShort]) {
    for (const form of forms) {
      const body = render([...kept, storedAs(section, form)], section.commit)
      if (body.length <= LONGEST_COMMENT) return { body, form }
    }
  }
  const own = storedAs(section, 'verdict')
  let kept: readonly StoredSection[] = earlierShort
  for (;;) {
    const body = render([...kept, own], section.commit)
    const candidates = kept.filter(({ form }) => form !== 'verdict')
    if (body.length <= LONGEST_COMMENT || candidates.length === 0) return { body, form: 'verdict' }
    const largest = candidates.reduce((a, b) => (b.content.length > a.content.length ? b : a))
    kept = kept.map((stored) => (stored === largest ? shortened(stored) : stored))
  }
}

function render(sections: readonly StoredSection[], commit: string | undefined): string {
  const order = (stored: StoredSection): number => (isEarlier(stored, commit) ? 1 : 0)
  const sorted = [...sections].sort(
    (a, b) => order(a) - order(b) || b.severity - a.severity || (a.name < b.name ? -1 : 1),
  )
  return [REPORT_MARKER, ...sorted.map((stored) => renderSection(stored, commit))].join('\n')
}

function renderSection(stored: StoredSection, commit: string | undefined): string {
  const earlier = isEarlier(stored, commit) ? `<sub>Of another commit, ${stored.commit ?? ''}.</sub>\n\n` : ''
  return [
    `### ${stored.verdict}\n\n${earlier}<!-- stage-build:section ${stored.name} -->`,
    `<!-- stage-build:data ${encoded(stored)} -->`,
    `\n${stored.content}\n`,
    `<!-- /stage-build:section ${stored.name} -->\n`,
  ].join('\n')
}

function isEarlier(stored: StoredSection, commit: string | undefined): boolean {
  return commit !== undefined && stored.commit !== undefined && stored.commit !== commit
}

function shortened(stored: StoredSection): StoredSection {
  return { ...stored, form: 'verdict', content: LEFT_OUT }
}

function storedAs(section: CommentSection, form: Form): StoredSection {
  const content = { full: section.full, compact: section.compact, verdict: LEFT_OUT }[form]
  return {
    name: sectionName(section.key),
    verdict: cleaned(section.verdict).replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST_VERDICT).toWellFormed(),
    severity: section.severity,
    commit: commitName(section.commit),
    form,
    content: cleaned(content).trim(),
  }
}

/** A key as it can stand in a hidden comment: no blanks, nothing that closes one; `%h` and `%e` are in no encoded key. */
function sectionName(key: string): string {
  const name = encodeURIComponent(key.toWellFormed()).replaceAll('-', '%2D')
  if (name.length <= 200) return name === '' ? '%e' : name
  return `${name.slice(0, 100)}%h${createHash('sha256').update(key).digest('hex')}`
}

/** Text without our own markers, and without what GitHub does not keep as it is: what is read back must be equal. */
function cleaned(markdown: string): string {
  return markdown
    .toWellFormed()
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
    .replaceAll(/<!--(?=\s*\/?\s*stage-build:(?!volatile -->))/g, '&lt;!--')
}

function steady(content: string): string {
  return content
    .split('\n')
    .filter((line) => !line.includes(VOLATILE_MARKER))
    .map((line) => line.trimEnd())
    .join('\n')
    .trim()
}

function encoded({ verdict, severity, commit, form }: StoredSection): string {
  return Buffer.from(JSON.stringify({ verdict, severity, commit, form })).toString('base64url')
}

function decoded(data: string): Omit<StoredSection, 'name' | 'content'> {
  const value = parseJson(Buffer.from(data, 'base64url').toString('utf8'))
  const severity = field(value, 'severity')
  const form = field(value, 'form')
  return {
    verdict: cleaned(text(field(value, 'verdict')) ?? 'Image sizes')
      .replaceAll(/\s+/g, ' ')
      .slice(0, LONGEST_VERDICT),
    severity: typeof severity === 'number' && Number.isFinite(severity) ? severity : 0,
    commit: commitName(field(value, 'commit')),
    form: form === 'compact' || form === 'verdict' ? form : 'full',
  }
}
