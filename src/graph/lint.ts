/**
 * The rules of BuildKit's linter that concern stages. The others (casing of instructions, JSON arguments, secrets …) are
 * BuildKit's own to report when it builds.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/linter/ruleset.go
 */
import { SyntaxFault, type DockerfileWarning } from '../dockerfile/dockerfile-error.ts'
import type { Dockerfile, FromInstruction } from '../dockerfile/instructions.ts'
import { expandWord } from '../dockerfile/lexer.ts'
import { withSuggestion } from '../dockerfile/suggest.ts'
import { InvalidReferenceError, parseReference } from '../images/reference.ts'
import { globalArgs, type GlobalArgs } from './global-args.ts'
import type { StageDraft } from './stage-drafts.ts'

const RESERVED: ReadonlySet<string> = new Set(['context', 'scratch'])

/** Names of stages that are taken. */
export function lintNames(dockerfile: Dockerfile): readonly DockerfileWarning[] {
  const warnings: DockerfileWarning[] = []
  const names = new Set<string>()
  for (const { from } of dockerfile.stages) {
    const { name } = from
    const warn = warner(warnings, from)
    if (name === undefined) continue
    if (RESERVED.has(name)) {
      warn('ReservedStageName', `Stage name should not use the same name as reserved stage "${name}"`)
    }
    if (names.has(name)) warn('DuplicateStageName', `Duplicate stage name "${name}", stage names should be unique`)
    names.add(name)
  }
  return warnings
}

/** Bases that are no image's name when no build argument is given. */
export function lintDefaultArgs(
  dockerfile: Dockerfile,
  automatic: ReadonlyMap<string, string>,
): readonly DockerfileWarning[] {
  const warnings: DockerfileWarning[] = []
  const { values, faults } = globalArgs(dockerfile, automatic, new Map())
  if (faults.length > 0) return []
  for (const { from } of dockerfile.stages) {
    try {
      parseReference(expandWord(from.base, (name) => values.get(name), { escape: dockerfile.escape }).text)
    } catch (error) {
      if (error instanceof SyntaxFault) return warnings
      if (!(error instanceof InvalidReferenceError)) throw error
      const message = `Default value for ARG ${from.base} results in empty or invalid base image name`
      warner(warnings, from)('InvalidDefaultArgInFrom', message)
    }
  }
  return warnings
}

/** Variables in FROM that no ARG before the first FROM declares. */
export function lintUndefinedArgs(drafts: readonly StageDraft[], args: GlobalArgs): readonly DockerfileWarning[] {
  const warnings: DockerfileWarning[] = []
  const known = [...args.declared, ...args.values.keys()]
  for (const { block, expansions } of drafts) {
    for (const name of expansions.flatMap(({ unmatched }) => [...unmatched])) {
      if (args.declared.has(name)) continue
      const message = withSuggestion(`FROM argument '${name}' is not declared`, name, known, { caseSensitive: true })
      warner(warnings, block.from)('UndefinedArgInFrom', message)
    }
  }
  return warnings
}

function warner(
  warnings: DockerfileWarning[],
  { line, endLine }: FromInstruction,
): (rule: string, text: string) => void {
  return (rule, message) => warnings.push({ rule, message, line, endLine })
}
