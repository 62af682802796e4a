/**
 * ONBUILD: what a needed stage runs because its base says so, be the base a stage of this file or an image. Triggers can
 * make further stages needed, and those have triggers again.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (initOnBuildTriggers)
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import type { EscapeCharacter } from '../dockerfile/directives.ts'
import { parseTrigger } from '../dockerfile/parse.ts'
import { toCommand, type Command } from './commands.ts'
import type { StageDraft } from './stage-drafts.ts'
import type { StateList } from './state-list.ts'

export interface TriggerOptions {
  readonly states: StateList
  readonly escape: EscapeCharacter
  /** The stages from which others are reached. */
  readonly seeds: readonly number[]
  /** The triggers that the configuration of a stage's base image holds. */
  readonly ofImage: (draft: StageDraft) => readonly string[]
  readonly fail: (fault: SyntaxFault, draft: StageDraft) => void
}

/** Puts the triggers before the commands of every stage that is reached from the seeds. */
export function addTriggers(drafts: readonly StageDraft[], options: TriggerOptions): void {
  const reached = new Set(options.seeds)
  // A set is walked in the order of insertion, and what is added on the way is walked, too.
  for (const index of reached) {
    const draft = drafts[index]
    if (draft === undefined) continue
    draft.commands.unshift(...triggersOf(draft, drafts, options))
    if (draft.base !== undefined) reached.add(draft.base)
    for (const { sources } of draft.commands) {
      for (const state of sources) if (typeof state === 'number') reached.add(state)
    }
  }
}

function triggersOf(draft: StageDraft, drafts: readonly StageDraft[], options: TriggerOptions): readonly Command[] {
  const { from } = draft.block
  const commands: Command[] = []
  try {
    for (const trigger of [...options.ofImage(draft), ...triggersOfBase(draft, drafts)]) {
      const instruction = parseTrigger(trigger, from)
      commands.push(toCommand(instruction, options.states, { escape: options.escape, isTrigger: true }))
    }
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    options.fail(error, draft)
  }
  return commands
}

function triggersOfBase({ base }: StageDraft, drafts: readonly StageDraft[]): readonly string[] {
  const instructions = base === undefined ? [] : (drafts[base]?.block.instructions ?? [])
  return instructions.flatMap((instruction) => (instruction.keyword === 'ONBUILD' ? [instruction.trigger] : []))
}
