/** Where targets, and Dockerfiles that are written for them, stand in bake and compose files, so that lines can be told. */
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { headingsOf, includedIn } from './bake-headings.ts'

interface Inline {
  /** The target's. */
  readonly name: string
  /** Undefined: its Dockerfile is a file. */
  readonly inline: string | undefined
}

/** A bake file. */
export interface BakeFileText {
  /** Relative to the workspace. */
  readonly name: string
  readonly text: string
}

/** A place in one of the files. */
export interface InlinePlace {
  readonly file: string
  /** How many of the file's lines stand above it. */
  readonly above: number
  /** Of one that is not there line by line: where its target is. */
  readonly heading?: InlineHeading
}

/** Where a target begins whose inline Dockerfile has no lines in its file. */
export interface InlineHeading {
  readonly target: string
  readonly file: string
  /** Undefined: it stands in none of the files; a matrix makes it. */
  readonly line?: number
}

/**
 * Where each target's inline Dockerfile is; one that is not there line by line, as in JSON, goes by the target's name, and what
 * is wrong with it is told at the target's heading (`toldOfInline`).
 */
export async function inlinePlaces(
  files: readonly string[],
  targets: readonly Inline[],
  workspace: string,
): Promise<(target: Inline) => InlinePlace | undefined> {
  const isUsed = targets.some(({ inline }) => inline !== undefined)
  const texts = isUsed ? await textsOf(files, workspace) : []
  const byName = (name: string): InlinePlace => {
    const heading = { target: name, ...(headingIn(texts, name) ?? { file: files[0] ?? '' }) }
    return { file: `${heading.file}#${name}`, above: 0, heading }
  }
  return ({ name, inline }) =>
    inline === undefined ? undefined : (placeOfInline({ name, inline }, texts) ?? byName(name))
}

/** The files as they are, and behind them those that they include; one that cannot be read is empty. */
export async function textsOf(files: readonly string[], workspace: string): Promise<readonly BakeFileText[]> {
  const read = async (name: string): Promise<BakeFileText> => ({
    ...{ name, text: await readFile(resolve(workspace, name), 'utf8').catch(() => '') },
  })
  const texts = new Map<string, BakeFileText>()
  for (let names = files; names.length > 0;) {
    const found = await Promise.all(names.map(read))
    for (const file of found) texts.set(file.name, file)
    const included = found.flatMap(({ name, text }) => includedIn(text).map((path) => join(dirname(name), path)))
    names = [...new Set(included)].filter((name) => !texts.has(name) && !/^\.\.\/|^\//.test(name))
  }
  return [...texts.values()]
}

/**
 * Finds the text, indented as it may be and with its variables as they are written; where it stands several times, the one
 * under the target's own heading. Undefined where it is not there line by line, as in JSON.
 */
export function placeOfInline(
  { name, inline }: { readonly name: string; readonly inline: string },
  files: readonly BakeFileText[],
): InlinePlace | undefined {
  const wanted = inline.replace(/\s+$/, '').split('\n')
  const places = files.flatMap(({ name: file, text }) => {
    const lines = text.split(/\r?\n/)
    const { from, to } = sectionIn(text, name)
    const found = lines.flatMap((_, above) => (standsAt(wanted, lines, above) ? [above] : []))
    return found.map((above) => ({ file, above, isOwn: above >= from && above < to }))
  })
  // It may be written for another one, or beside them: targets inherit, and YAML has anchors.
  const { file, above } = places.find(({ isOwn }) => isOwn) ?? places[0] ?? {}
  return file === undefined || above === undefined ? undefined : { file, above }
}

/** The lines from a target's heading to the next one's; none where it has none. */
function sectionIn(text: string, name: string): { readonly from: number; readonly to: number } {
  const headings = headingsOf(text)
  const own = headings.find((heading) => heading.name === name)
  if (own === undefined) return { from: Infinity, to: -1 }
  const next = headings.find(({ above }) => above > own.above)
  return { from: own.above, to: next?.above ?? Infinity }
}

/** The place where a target begins, in the first file that has it. */
export function headingIn(
  files: readonly BakeFileText[],
  target: string,
): { readonly file: string; readonly line: number } | undefined {
  for (const { name: file, text } of files) {
    const found = headingsOf(text).find(({ name }) => name === target)
    if (found !== undefined) return { file, line: found.above + 1 }
  }
  return undefined
}

function standsAt(wanted: readonly string[], lines: readonly string[], above: number): boolean {
  const [first = ''] = wanted
  const top = lines[above] ?? ''
  // In quotes behind its key.
  if (wanted.length === 1) return first !== '' && plain(top).includes(first)
  // A line that says something tells how far in the text stands; the first one may be blank.
  const said = wanted.findIndex((want) => want.trim() !== '')
  const [deep, own] = [blanks(lines[above + said] ?? ''), blanks(wanted[said] ?? '')]
  const indent = deep.slice(0, Math.max(0, deep.length - own.length))
  return wanted.every((want, index) => {
    const line = lines[above + index]
    if (line === undefined) return false
    if (want.trim() === '') return line.trim() === ''
    return line.startsWith(indent) && isLine(want, plain(line.slice(indent.length)))
  })
}

function blanks(line: string): string {
  return /^\s*/.exec(line)?.[0] ?? ''
}

/** Both kinds of file write a `$` twice that is none of theirs. */
function plain(line: string): string {
  return line.replaceAll('$$', '$').replaceAll('%%{', '%{')
}

/** Whether the line is this one as it is, or with something in place of its variables. */
function isLine(want: string, line: string): boolean {
  if (want.trimEnd() === line.trimEnd()) return true
  const [first, last] = [line.indexOf('$'), line.lastIndexOf('}')]
  const behind = last > first ? line.slice(last + 1) : ''
  return first !== -1 && want.startsWith(line.slice(0, first)) && want.endsWith(behind)
}
