/** Failures on demand, for servers that stand in for real ones: which requests fail, and how. The same rules, the same failures. */
import type { ServerResponse } from 'node:http'
import { Transform, type TransformCallback } from 'node:stream'

/**
 * - `status`: an error answer; `forbidden` is 403, in the service's own words.
 * - `reset`: the connection ends without an answer. `truncate`: it ends half-way through the answer's body (through the
 *   request's, for an upload). `flip`: one bit of the body in the middle is wrong. `hang`: no answer at all.
 * - `gone`: from this request on nothing listens. `readOnly`: writes are denied as to a token that may only read.
 */
export type FaultEffect =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number }
  | { readonly kind: 'forbidden' | 'reset' | 'truncate' | 'flip' | 'hang' | 'gone' | 'readOnly' }

export interface FaultRule<Operation extends string = string> {
  /** Default: all of them. */
  readonly operation?: Operation | readonly Operation[]
  /** Source of a regular expression for the key (for a registry: the path, with the digest). */
  readonly key?: string
  /** The first request to fail, from 1. */
  readonly nth?: number
  /** How many fail; default: all from there on. */
  readonly times?: number
  /** The request is carried out, and then its answer fails: `reset` and `hang`, and for a Twirp call `status`, too. */
  readonly late?: boolean
  readonly effect: FaultEffect
}

/** One rule in force. */
export interface Fault {
  /** How many requests it made fail. */
  readonly hits: () => number
  stop(): void
}

interface State<Operation extends string> {
  readonly rule: FaultRule<Operation>
  readonly key: RegExp
  seen: number
  hits: number
}

/** The rules in force; the first that applies to a request decides. */
export class FaultBook<Operation extends string> {
  readonly #states: State<Operation>[] = []

  /** @throws SyntaxError when `key` is no regular expression */
  add(rule: FaultRule<Operation>): Fault {
    const state = { rule, key: new RegExp(rule.key ?? ''), seen: 0, hits: 0 }
    this.#states.push(state)
    return {
      hits: () => state.hits,
      stop: () => {
        const at = this.#states.indexOf(state)
        if (at >= 0) this.#states.splice(at, 1)
      },
    }
  }

  clear(): void {
    this.#states.length = 0
  }

  /** Counts this request for every rule that it fits, and gives the rule that makes it fail. */
  next(operation: Operation, key: string): FaultRule<Operation> | undefined {
    let found: FaultRule<Operation> | undefined
    for (const state of this.#states) {
      const { rule } = state
      const operations = typeof rule.operation === 'string' ? [rule.operation] : rule.operation
      if (operations?.includes(operation) === false || !state.key.test(key)) continue
      state.seen++
      if (found !== undefined || state.seen < (rule.nth ?? 1) || state.hits >= (rule.times ?? Infinity)) continue
      state.hits++
      found = rule
    }
    return found
  }
}

/** Carries out an effect that leaves no answer; false for the others. */
export async function breakOff(effect: FaultEffect | undefined, response: ServerResponse): Promise<boolean> {
  if (effect?.kind === 'reset') response.destroy()
  else if (effect?.kind === 'hang') await new Promise((resolve) => response.once('close', resolve))
  else return false
  return true
}

/** A stage that does to a body of this many bytes what the effect says; undefined where it says nothing about bodies. */
export function damage(effect: FaultEffect | undefined, size: number): Transform | undefined {
  if (effect?.kind !== 'flip' && effect?.kind !== 'truncate') return undefined
  const middle = Math.floor(size / 2)
  let at = 0
  return new Transform({
    transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
      const here = middle - at
      at += chunk.length
      if (here < 0 || here >= chunk.length) done(null, chunk)
      else if (effect.kind === 'flip') {
        const copy = Buffer.from(chunk)
        copy[here] = (copy[here] ?? 0) ^ 0x40
        done(null, copy)
      } else {
        this.push(chunk.subarray(0, here))
        // What was pushed goes out first.
        setTimeout(() => {
          done(new Error('truncated on demand'))
        }, 50)
      }
    },
  })
}
