/**
 * Two rules of BuildKit's linter about how FROM is written. They are looked at before FROM is checked, so a bad FROM has
 * them as well.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/parse.go
 * (isLowerCaseStageName, doesFromCaseMatchAsCase)
 */
import type { DockerfileWarning, LineRange } from './dockerfile-error.ts'
import type { Statement } from './statements.ts'

/** What the linter says of this FROM; nothing of other statements. */
export function lintFrom({ keyword, written, args }: Statement, range: LineRange): readonly DockerfileWarning[] {
  if (keyword !== 'FROM' || args.length < 3) return []
  const { line, endLine } = range
  const [, as = '', name = ''] = args
  const warnings: DockerfileWarning[] = []
  if (args.length === 3 && name !== name.toLowerCase()) {
    warnings.push({ rule: 'StageNameCasing', message: `Stage name '${name}' should be lowercase`, line, endLine })
  }
  if (!matchesCase(written, as)) {
    const message = `'${as}' and '${written}' keywords' casing do not match`
    warnings.push({ rule: 'FromAsCasing', message, line, endLine })
  }
  return warnings
}

/** A FROM in mixed letters is another rule's concern. */
function matchesCase(from: string, as: string): boolean {
  if (from === from.toLowerCase()) return as === as.toLowerCase()
  return from !== from.toUpperCase() || as === as.toUpperCase()
}
