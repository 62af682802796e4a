/**
 * The directives at the top of a Dockerfile: `# syntax=`, `# escape=`, `# check=`. They are read twice, by two rules:
 * the parser reads `escape` line by line (and a shebang ends the block); `syntax` and `check` are looked up on the whole
 * text beforehand (and a shebang is skipped). It does not apply them.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/directives.go
 */
import { SyntaxFault } from './dockerfile-error.ts'
import { goQuote, parseBool, trimSpace, trimSpaceLeft } from './go-text.ts'

export type EscapeCharacter = '\\' | '`'

// Go's \s is ASCII only, without \v. The value is cut by hand: `(.+?)\s*$` can take quadratic time.
const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=([^\n]+)$/
const KNOWN: ReadonlySet<string> = new Set(['syntax', 'escape', 'check'])

export interface Directive {
  readonly name: string
  readonly value: string
}

/** Reads lines while they are directives; done at the first line that is none. */
export class DirectiveReader {
  readonly #prefix: string
  readonly #seen = new Set<string>()
  #done = false

  constructor(prefix = '#') {
    this.#prefix = prefix
  }

  get done(): boolean {
    return this.#done
  }

  /**
   * The directive on this line, if the block has not ended.
   * @throws SyntaxFault when it stands there a second time.
   */
  read(line: string): Directive | undefined {
    if (this.#done) return undefined
    const match = line.startsWith(this.#prefix) ? DIRECTIVE.exec(trimSpaceLeft(line.slice(this.#prefix.length))) : null
    const name = match?.[1]?.toLowerCase()
    const value = directiveValue(match?.[2])
    if (name === undefined || value === undefined || !KNOWN.has(name)) {
      this.#done = true
      return undefined
    }
    if (this.#seen.has(name)) throw new SyntaxFault(`only one ${name} parser directive can be used`)
    this.#seen.add(name)
    return { name, value }
  }
}

/** What `\s*(.+?)\s*$` captures: the text without blanks around it, or the last blank where there is nothing else. */
function directiveValue(rest: string | undefined): string | undefined {
  if (rest === undefined) return undefined
  let start = 0
  let end = rest.length
  while (start < end - 1 && '\t\n\f\r '.includes(rest.charAt(start))) start++
  while (end > start + 1 && '\t\n\f\r '.includes(rest.charAt(end - 1))) end--
  return rest.slice(start, end)
}

/** @throws SyntaxFault when it is neither of the two characters. */
export function parseEscape(value: string): EscapeCharacter {
  if (value === '\\' || value === '`') return value
  throw new SyntaxFault(`invalid escape token '${value}' does not match \` or \\`)
}

/** The image of the frontend that the text asks for: `# syntax=`, `// syntax=`, or a JSON object's `syntax`. */
export function detectSyntax(text: string): string | undefined {
  const body = withoutShebang(text)
  return findDirective(body, 'syntax', '#') ?? findDirective(body, 'syntax', '//') ?? jsonSyntax(body)
}

/** The value of `# check=` up to its first blank, as BuildKit cuts it. */
export function detectCheck(text: string): string | undefined {
  return findDirective(withoutShebang(text), 'check', '#')
}

function withoutShebang(text: string): string {
  const body = text.replace(/^\ufeff/, '')
  if (!body.startsWith('#!')) return body
  const end = body.indexOf('\n')
  return end === -1 ? '' : body.slice(end + 1)
}

function findDirective(text: string, name: string, prefix: string): string | undefined {
  const reader = new DirectiveReader(prefix)
  let start = 0
  while (start < text.length && !reader.done) {
    const end = text.indexOf('\n', start)
    const line = text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '')
    start = end === -1 ? text.length : end + 1
    try {
      const directive = reader.read(line)
      if (directive?.name === name) return directive.value.split(' ')[0]
    } catch {
      return undefined
    }
  }
  return undefined
}

function jsonSyntax(text: string): string | undefined {
  if (!trimSpaceLeft(text).startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('syntax' in value)) return undefined
    return typeof value.syntax === 'string' ? value.syntax : undefined
  } catch {
    return undefined
  }
}

/** The frontend that BuildKit itself is (facts §1.2): its releases, with any tag or digest. */
export function isDockerfileFrontend(image: string): boolean {
  return /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@].*)?$/.test(image)
}

export interface CheckOptions {
  readonly skip: ReadonlySet<string>
  readonly skipAll: boolean
  /** Warnings stop the build. */
  readonly error: boolean
}

/**
 * Reads `skip=A,B;error=true`.
 * @throws SyntaxFault in the words of https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/linter/linter.go
 */
export function parseCheck(value: string | undefined): CheckOptions {
  let skip: ReadonlySet<string> = new Set()
  let skipAll = false
  let error = false
  const text = trimSpace(value ?? '')
  for (const part of text === '' ? [] : splitAtMost(text, ';', 3)) {
    const equals = part.indexOf('=')
    if (equals === -1) throw new SyntaxFault(`invalid check option ${goQuote(part)}`)
    const name = trimSpace(part.slice(0, equals))
    const setting = trimSpace(part.slice(equals + 1))
    if (name === 'skip') {
      skipAll ||= setting === 'all'
      if (setting !== 'all') skip = new Set(setting.split(',').map(trimSpace))
    } else if (name === 'error') {
      const flag = parseBool(setting)
      if (flag === undefined) {
        const inner = `strconv.ParseBool: parsing ${goQuote(setting)}: invalid syntax`
        throw new SyntaxFault(`failed to parse check option ${goQuote(part)}: ${inner}`)
      }
      error = flag
    } else if (name !== 'experimental') {
      throw new SyntaxFault(`invalid check option ${goQuote(name)}`)
    }
  }
  return { skip, skipAll, error }
}

function splitAtMost(text: string, separator: string, count: number): string[] {
  const parts = text.split(separator)
  return parts.length <= count ? parts : [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)]
}
