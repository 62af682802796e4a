/**
 * The stages as they are put on the list one by one: base and platform expanded, base looked up among the earlier ones,
 * named contexts applied. What they copy and mount comes later.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toDispatchState)
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import type { Dockerfile, FromInstruction, StageBlock } from '../dockerfile/instructions.ts'
import { expandWord, ExpansionFault, type Expansion } from '../dockerfile/lexer.ts'
import { suggestion } from '../dockerfile/suggest.ts'
import type { Command } from './commands.ts'
import type { NamedContexts } from './contexts.ts'
import type { GlobalArgs } from './global-args.ts'
import { parsePlatform, type Platform } from './platform.ts'
import type { StateList } from './state-list.ts'

/** A stage while the graph is made. */
export interface StageDraft {
  readonly index: number
  readonly block: StageBlock
  /** The stage it is based on; undefined for an image, a context and scratch. */
  readonly base: number | undefined
  readonly fromText: string
  readonly platform: Platform
  readonly replacedBy: string | undefined
  /** Its base could not be read: said already. */
  readonly broken: boolean
  /** Triggers of its base first, once they are known. */
  readonly commands: Command[]
  readonly expansions: readonly Expansion[]
}

export interface DraftContext {
  readonly states: StateList
  readonly args: GlobalArgs
  readonly contexts: NamedContexts
  readonly targetPlatform: Platform
  readonly buildPlatform: Platform
  readonly fail: (fault: SyntaxFault, stage: number, from: FromInstruction) => void
}

/** Drafts of all stages, in order; each is on the list of states afterwards. */
export function draftStages(dockerfile: Dockerfile, context: DraftContext): StageDraft[] {
  const drafts: StageDraft[] = []
  for (const block of dockerfile.stages) {
    drafts.push(draftStage(block, dockerfile, drafts, context))
    context.states.addStage(block.from.name)
  }
  return drafts
}

function draftStage(
  block: StageBlock,
  dockerfile: Dockerfile,
  earlier: readonly StageDraft[],
  context: DraftContext,
): StageDraft {
  const { from } = block
  const index = earlier.length
  const expansions: Expansion[] = []
  const state = { broken: false }
  const attempt = <T>(step: () => T): T | undefined => {
    // BuildKit stops at a stage's first fault; one is enough for us, too.
    if (state.broken) return undefined
    try {
      return step()
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      state.broken = true
      context.fail(error, index, from)
      return undefined
    }
  }
  const expand = (text: string): Expansion => {
    try {
      const expansion = expandWord(text, (name) => context.args.values.get(name), { escape: dockerfile.escape })
      expansions.push(expansion)
      return expansion
    } catch (error) {
      if (error instanceof ExpansionFault) expansions.push({ text: '', matched: new Set(), unmatched: error.unmatched })
      throw error
    }
  }
  const fromText = attempt(() => expandBase(from.base, expand)) ?? from.base
  const baseBroken = state.broken
  const ownPlatform = attempt(() => expandPlatform(from.platform, expand, context))
  const wanted = ownPlatform ?? context.targetPlatform
  const { name } = from
  const replacedBy = attempt(() => (name === undefined ? undefined : context.contexts.find(name, wanted)))
  const base = replacedBy === undefined && !baseBroken ? context.states.findBase(fromText) : undefined
  const inherited = base === undefined ? undefined : earlier[base]?.platform
  // An empty image is for the target platform, whatever --platform says.
  const platform = fromText === 'scratch' && replacedBy === undefined ? context.targetPlatform : wanted
  return {
    ...{ index, block, base, fromText, replacedBy, broken: baseBroken, commands: [], expansions },
    platform: inherited ?? platform,
  }
}

function expandBase(base: string, expand: (text: string) => Expansion): string {
  const { text } = expand(base)
  if (text === '') throw new SyntaxFault(`base name (${base}) should not be blank`)
  return text
}

function expandPlatform(
  platform: string | undefined,
  expand: (text: string) => Expansion,
  context: DraftContext,
): Platform | undefined {
  if (platform === undefined) return undefined
  const { text, unmatched } = expandingPlatform(platform, expand)
  if (text === '') {
    throw new SyntaxFault(withAnySuggestion(`empty platform value from expression ${platform}`, unmatched, context))
  }
  try {
    return parsePlatform(text, context.buildPlatform)
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    const inner = withAnySuggestion(error.message, unmatched, context)
    throw new SyntaxFault(`failed to parse platform ${platform}: ${inner}`)
  }
}

function expandingPlatform(platform: string, expand: (text: string) => Expansion): Expansion {
  try {
    return expand(platform)
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    // The gap is BuildKit's: it names the result, which is empty.
    throw new SyntaxFault(`failed to process arguments for platform : ${error.message}`)
  }
}

function withAnySuggestion(message: string, names: ReadonlySet<string>, { args }: DraftContext): string {
  for (const name of names) {
    const near = suggestion(name, [...args.values.keys()])
    if (near !== undefined) return `${message} (did you mean ${near}?)`
  }
  return message
}
