/** Where targets begin in bake and compose files, by the forms of their lines: buildx tells no places. Pure. */
import { parseJson } from './json-fields.ts'

export interface Heading {
  /** The target's. */
  readonly name: string
  /** How many lines of the file stand above it. */
  readonly above: number
}

/** All targets of a file, in its order; one that a matrix makes stands nowhere. */
export function headingsOf(text: string): readonly Heading[] {
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  const forms = [() => ofHcl(lines), () => ofYaml(lines), () => ofJson(text)]
  for (const form of forms) {
    const found = form()
    if (found.length > 0) return found
  }
  return []
}

/** `target "web" {` */
function ofHcl(lines: readonly string[]): readonly Heading[] {
  return lines.flatMap((line, above) => {
    const [, quoted, name = quoted] = /^\s*target\s+(?:"([^"]+)"|([\w-]+))\s*\{/.exec(line) ?? []
    return name === undefined ? [] : [{ name, above }]
  })
}

/**
 * The keys under the top-level `services`, which are as far in as its first one; other places name services, too
 * (`depends_on`), or things that have a service's name (`networks`, `volumes`).
 */
function ofYaml(lines: readonly string[]): readonly Heading[] {
  const headings: Heading[] = []
  let isServices = false
  let indent: number | undefined
  for (const [above, line] of lines.entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue
    const [, blanks = '', , key] = /^( *)(?:(["']?)([\w.-]+)\2\s*:(?=[\s{]|$))?/.exec(line) ?? []
    if (blanks === '') {
      isServices = key === 'services'
      indent = undefined
    } else if (isServices) {
      indent ??= blanks.length
      // Bake has no dots in names.
      if (key !== undefined && blanks.length === indent) headings.push({ name: key.replaceAll('.', '_'), above })
    }
  }
  return headings
}

/** The files that a compose file includes, by paths from its folder. */
export function includedIn(text: string): readonly string[] {
  let isInclude = false
  return text.split(/\r?\n/).flatMap((line) => {
    if (/^[^\s#-]/.test(line)) isInclude = /^include\s*:/.test(line)
    const [, , path] = /^\s*(?:-\s+)?(?:path\s*:\s*)?(["']?)([\w./-]+)\1\s*(?:#.*)?$/.exec(line) ?? []
    return isInclude && path !== undefined && path !== '-' ? [path] : []
  })
}

/** The keys under `target`, or in a compose file under `services`. */
function ofJson(text: string): readonly Heading[] {
  const headings: Heading[] = []
  // Of each object that is open, the key that its value is read of; '' of a list.
  const path: string[] = []
  let above = 0
  for (const [token, colon] of text.matchAll(/\n|[{}[\]]|"(?:[^"\\\n]|\\.)*"(?=(\s*:)?)/g)) {
    if (token === '\n') above++
    else if (token === '{' || token === '[') path.push('')
    else if (token === '}' || token === ']') path.pop()
    else if (colon !== undefined && path.length > 0) {
      path[path.length - 1] = String(parseJson(token))
      const [kind, name, ...deeper] = path.filter((key) => key !== '')
      const isTarget = (kind === 'target' || kind === 'services') && name !== undefined && deeper.length === 0
      if (isTarget) headings.push({ name, above })
    }
  }
  return headings
}
