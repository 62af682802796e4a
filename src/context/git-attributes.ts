/**
 * Which files git may store otherwise than they lie in the work tree, as .gitattributes files say: LFS and other
 * filters, line ends, `$Id$`, encodings. Answers "perhaps" for "yes": such a file is read, and that is never wrong.
 * https://git-scm.com/docs/gitattributes
 */

/** Attributes by which bytes differ. `-text` and `!filter` take a conversion away; what set it before still counts. */
const CONVERTING = /^(?:filter|text|eol|ident|crlf|working-tree-encoding)(?:=|$)/

/** A test of paths, relative to the directory of the attributes file. */
export type ConversionTest = (path: string) => boolean

const EVERYTHING: ConversionTest = () => true

/** The tests of one attributes file; none where no line of it converts anything. */
export function readAttributes(text: string): readonly ConversionTest[] {
  const tests: ConversionTest[] = []
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const [pattern = '', ...attributes] = line.split(/[ \t\r]+/)
    // A macro may be used by any line of any file; a quoted pattern may hold blanks.
    if (line.startsWith('[attr]') || pattern.startsWith('"')) tests.push(EVERYTHING)
    else if (attributes.some((attribute) => CONVERTING.test(attribute))) tests.push(compileAttributePattern(pattern))
  }
  return tests
}

/** For a file that cannot be read. */
export function unknownAttributes(): readonly ConversionTest[] {
  return [EVERYTHING]
}

/**
 * A pattern, or more than it: without a slash it is for names in any directory, else for paths; letters of either case
 * are alike (`core.ignoreCase`); classes and backslashes are taken to match everything.
 */
function compileAttributePattern(pattern: string): ConversionTest {
  if (pattern === '*' || pattern === '**' || /[[\]\\]/.test(pattern)) return EVERYTHING
  const rooted = pattern.startsWith('/') ? pattern.slice(1) : pattern
  const named = !pattern.includes('/')
  const source = rooted
    .replace(/[.+^$(){}|]/g, String.raw`\$&`)
    .replace(/\?/g, '[^/]')
    .replace(/\*+\/?/g, '.*')
  const expression = new RegExp(`${named ? '(?:^|/)' : '^'}${source}$`, 'iu')
  return (path) => expression.test(path)
}
