/**
 * From an instruction to the states that it takes files from: `COPY --from`, `RUN --mount=from=`. It does not know what
 * an image's name means.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toCommand) and
 * convert_runmount.go (detectRunMount)
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import type { EscapeCharacter } from '../dockerfile/directives.ts'
import { atoi } from '../dockerfile/go-text.ts'
import type { CopyInstruction, RunInstruction, StageInstruction } from '../dockerfile/instructions.ts'
import { expandWord } from '../dockerfile/lexer.ts'
import type { State, StateList } from './state-list.ts'

/** An instruction of a stage, with the states of its sources: one for a COPY with `--from`, one for each mount. */
export interface Command {
  readonly instruction: StageInstruction
  readonly sources: readonly State[]
  /** It runs because the base triggers it. */
  readonly isTrigger: boolean
}

export interface CommandOptions {
  readonly escape: EscapeCharacter
  readonly isTrigger: boolean
}

/** Resolves an instruction's sources. @throws SyntaxFault in BuildKit's words */
export function toCommand(instruction: StageInstruction, states: StateList, options: CommandOptions): Command {
  const sources = sourcesOf(instruction, states, options.escape)
  for (const state of sources) states.use(state)
  return { instruction, sources, isTrigger: options.isTrigger }
}

function sourcesOf(instruction: StageInstruction, states: StateList, escape: EscapeCharacter): readonly State[] {
  if (instruction.keyword === 'COPY') return instruction.from === '' ? [] : [copySource(instruction, states, escape)]
  return instruction.keyword === 'RUN' ? mountSources(instruction, states) : []
}

function copySource({ from, line, endLine }: CopyInstruction, states: StateList, escape: EscapeCharacter): State {
  const index = atoi(from)
  if (index !== undefined) return states.at(index)
  const stage = states.findName(from)
  if (stage !== undefined) return stage
  if (expandWord(from, () => undefined, { escape }).text !== from) {
    throw new SyntaxFault(
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
    )
  }
  return { text: from, line, endLine }
}

/** A mount without `from` takes `scratch` here, whatever its type: that is what makes a stage of that name a phantom. */
function mountSources({ mounts, line, endLine }: RunInstruction, states: StateList): readonly State[] {
  return mounts.map(({ from }) => {
    const text = from === '' ? 'scratch' : from
    return states.findName(text) ?? { text, line, endLine }
  })
}
