/**
 * BuildKit's list of states, by which names and numbers are looked up: the stages in order, and behind them an "implicit"
 * one for each image that a COPY or a mount names, as they are found. A number can hit an implicit one: BuildKit does so.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchStates)
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'

/** An image, context or `scratch` that a COPY or a mount names. */
export interface ImplicitState {
  readonly text: string
  readonly line: number
  readonly endLine: number
}

/** A stage's index, or an implicit state. */
export type State = number | ImplicitState

export class StateList {
  readonly #states: State[] = []
  readonly #byName = new Map<string, number>()

  /** Adds the next stage; of two stages with one name, the later is found from then on. */
  addStage(name: string | undefined): void {
    const index = this.#states.push(this.#states.length) - 1
    if (name !== undefined) this.#byName.set(name, index)
  }

  /** As FROM looks up: the exact text (stage names are in small letters) among the stages so far. */
  findBase(text: string): number | undefined {
    return this.#byName.get(text)
  }

  /** As COPY, mounts and targets look up: in any letters. */
  findName(text: string): number | undefined {
    return this.#byName.get(text.toLowerCase())
  }

  /** @throws SyntaxFault where there is no such state */
  at(index: bigint): State {
    const state = index < 0n ? undefined : this.#states[Number(index)]
    if (state === undefined) throw new SyntaxFault(`invalid stage index ${index}`)
    return state
  }

  /** Records that a command uses a state: an implicit one is put on the list, each time again. */
  use(state: State): void {
    if (typeof state !== 'number') this.#states.push(state)
  }

  /** The implicit states, each once, in the order found. */
  implicit(): readonly ImplicitState[] {
    const found = new Set<ImplicitState>()
    for (const state of this.#states) if (typeof state !== 'number') found.add(state)
    return [...found]
  }
}
