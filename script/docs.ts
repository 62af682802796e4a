/**
 * Keeps README's tables and the code in step with `action.yml`, and the documents with the files that they name:
 * `--write` writes the tables between their markers, `--check` fails when anything differs. Owns the comparison; what each input means is `src/inputs.ts`'s business.
 */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml'

export interface Entry {
  readonly name: string
  readonly description: string
  readonly default: string | undefined
  /** The comment in `action.yml` that opens the entry's group; undefined where there are no groups. */
  readonly group: string | undefined
}

export interface ActionFile {
  readonly inputs: readonly Entry[]
  readonly outputs: readonly Entry[]
}

/** Reads the text of an `action.yml`. @throws Error when it is not a valid one. */
export function parseAction(text: string): ActionFile {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error !== undefined) throw new Error(`action.yml: ${error.message}`)
  return { inputs: entries(document.get('inputs')), outputs: entries(document.get('outputs')) }
}

function entries(section: unknown): Entry[] {
  if (!isMap(section)) throw new Error('action.yml: inputs and outputs must be maps')
  const map: YAMLMap = section
  const result: Entry[] = []
  let group = map.commentBefore?.trim()
  for (const pair of map.items) {
    if (!isScalar(pair.key) || !isMap(pair.value)) throw new Error('action.yml: an input or output is not a map')
    group = pair.key.commentBefore?.trim() ?? group
    const value = pair.value
    result.push({
      name: String(pair.key.value),
      description: text(value.get('description')) ?? '',
      default: text(value.get('default')),
      group,
    })
  }
  return result
}

/** GitHub hands every default to the action as text. */
function text(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Error(`action.yml: ${JSON.stringify(value)} must be a string`)
}

/** The Markdown tables of inputs (one a group) or outputs. */
export function renderTables(list: readonly Entry[], kind: 'inputs' | 'outputs'): string {
  const lines: string[] = []
  const header = kind === 'inputs' ? ['Input', 'Default', 'Meaning'] : ['Output', 'Meaning']
  let group: string | undefined
  for (const [index, entry] of list.entries()) {
    if (index === 0 || entry.group !== group) {
      group = entry.group
      if (index > 0) lines.push('')
      if (group !== undefined) lines.push(`**${group}**`, '')
      lines.push(row(header), row(header.map(() => '---')))
    }
    const meaning = cell(entry.description)
    const fallback = entry.default === undefined ? '' : `\`${cell(entry.default)}\``
    lines.push(row(kind === 'inputs' ? [`\`${entry.name}\``, fallback, meaning] : [`\`${entry.name}\``, meaning]))
  }
  return lines.join('\n')
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim()

/** README with its tables replaced. @throws Error when a marker is missing. */
export function updateReadme(readme: string, action: ActionFile): string {
  let text = readme
  for (const kind of ['inputs', 'outputs'] as const) {
    const begin = `<!-- ${kind}: generated from action.yml by npm run docs -->`
    const end = `<!-- /${kind} -->`
    const from = text.indexOf(begin)
    const to = text.indexOf(end)
    if (from < 0 || to < from) throw new Error(`README.md needs the line ${begin} and after it the line ${end}`)
    text = `${text.slice(0, from + begin.length)}\n${renderTables(action[kind], kind)}\n${text.slice(to)}`
  }
  return text
}

export interface NameList {
  /** The elements of the constant array. */
  readonly names: readonly string[]
  /** Every other string literal and object key of the file. */
  readonly mentions: ReadonlySet<string>
}

/**
 * The string literals of `const NAME = [...] as const` in TypeScript source, and what the source says besides. `names`
 * is empty when the source has no such array.
 * @throws Error when the array holds anything but string literals.
 */
export function readNames(source: string, constant: string): NameList {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true)
  let names: readonly string[] = []
  const mentions = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.name.getText(file) === constant) {
      names = literals(node.initializer, constant, file)
      return
    }
    if (ts.isStringLiteralLike(node)) mentions.add(node.text)
    if ((ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) && ts.isIdentifier(node.name)) {
      mentions.add(node.name.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return { names, mentions }
}

function literals(initializer: ts.Expression | undefined, constant: string, file: ts.SourceFile): string[] {
  let value = initializer
  while (value !== undefined && (ts.isAsExpression(value) || ts.isSatisfiesExpression(value))) value = value.expression
  if (value === undefined || !ts.isArrayLiteralExpression(value)) throw new Error(`${constant} is no list of strings`)
  return value.elements.map((element) => {
    if (!ts.isStringLiteralLike(element))
      throw new Error(`${constant} holds ${element.getText(file)}, which is no string`)
    return element.text
  })
}

/** What the description of an input or output that nothing uses yet must say. */
const NOT_YET = /Not in effect yet|Empty for now/

/**
 * What differs between the entries of `action.yml` and the names in the array `constant` of `sources`, as sentences;
 * empty when nothing does. A name that no source mentions outside the array is neither read nor written: a problem too,
 * unless its description says so.
 */
export function compareNames(entries: readonly Entry[], sources: readonly string[], constant: string): string[] {
  const lists = sources.map((source) => readNames(source, constant))
  const names = lists.flatMap((list) => list.names)
  const problems: string[] = []
  for (const { name, description } of entries) {
    if (!names.includes(name)) problems.push(`action.yml has ${name}, and ${constant} does not`)
    else if (!lists.some((list) => list.mentions.has(name)) && !NOT_YET.test(description)) {
      problems.push(`${constant} has ${name}, nothing uses it, and its description in action.yml does not say so`)
    }
  }
  for (const name of names) {
    if (!entries.some((entry) => entry.name === name)) problems.push(`${constant} has ${name}, and action.yml does not`)
  }
  if (new Set(names).size !== names.length) problems.push(`${constant} has a name twice`)
  return problems
}

const DOCUMENTS = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'MIGRATING.md', 'CHANGELOG.md']

/** The paths in the repository that a document links to, shows, or names in backticks with a top-level folder. */
export function namedPaths(markdown: string): string[] {
  const links = [...markdown.matchAll(/\]\(([^)\s#]+)[^)]*\)/g), ...markdown.matchAll(/\b(?:src|srcset)="([^"]+)"/g)]
  const names = [...markdown.matchAll(/`((?:src|script|__tests__|examples|bench|docs|\.github)\/[\w./-]*)`/g)]
  const paths = [...links, ...names].map((match) => match[1] ?? '').filter((path) => !/^[a-z]+:/.test(path))
  return [...new Set(paths)]
}

async function checkPaths(root: string): Promise<string[]> {
  const problems: string[] = []
  for (const document of DOCUMENTS) {
    for (const path of namedPaths(await readFile(join(root, document), 'utf8'))) {
      const found = await stat(join(root, path)).catch(() => undefined)
      if (found === undefined) problems.push(`${document} names ${path}, which is not there`)
    }
  }
  return problems
}

/** Everything that is out of step in the repository at `root`, as sentences. */
export async function checkRepository(root: string): Promise<string[]> {
  const read = async (path: string): Promise<string> => await readFile(join(root, path), 'utf8')
  const action = parseAction(await read('action.yml'))
  const names = (await readdir(join(root, 'src'))).filter((name) => name.endsWith('.ts')).sort()
  const sources = async (prefix: string): Promise<string[]> =>
    await Promise.all(names.filter((name) => name.startsWith(prefix)).map((name) => read(join('src', name))))
  const problems = [
    ...compareNames(action.inputs, await sources('input'), 'INPUT_NAMES'),
    ...compareNames(action.outputs, await sources('output'), 'OUTPUT_NAMES'),
  ]
  const readme = await read('README.md')
  if (updateReadme(readme, action) !== readme)
    problems.push("README.md's tables are not those of action.yml; run npm run docs")
  problems.push(...(await checkPaths(root)))
  return problems
}

async function main(root: string, option: string | undefined): Promise<number> {
  if (option === '--write') {
    const path = join(root, 'README.md')
    await writeFile(
      path,
      updateReadme(await readFile(path, 'utf8'), parseAction(await readFile(join(root, 'action.yml'), 'utf8'))),
    )
    return 0
  }
  if (option !== '--check') {
    console.error('usage: node script/docs.ts --write | --check')
    return 2
  }
  const problems = await checkRepository(root)
  for (const problem of problems) console.error(problem)
  return problems.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(join(import.meta.dirname, '..'), process.argv[2])
