/**
 * The variables of one stage while its instructions are gone through: what its base had, then each ARG and ENV. It is
 * built on the base's by reference, so that a chain of a thousand stages copies nothing.
 */
import type { Variables } from '../dockerfile/lexer.ts'

/** What BuildKit puts where an image sets no PATH. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** How long a chain of look-ups may get before it is copied into one table. */
const MAX_DEPTH = 32

export class Environment {
  readonly #parent: Environment | undefined
  readonly #own = new Map<string, string>()
  readonly #depth: number

  private constructor(parent: Environment | undefined) {
    this.#parent = parent
    this.#depth = parent === undefined ? 0 : parent.#depth + 1
  }

  /** Of a stage based on an image, or on nothing. */
  static initial(): Environment {
    const environment = new Environment(undefined)
    environment.set('PATH', DEFAULT_PATH)
    return environment
  }

  /** Of a stage based on the stage that ends with this one. */
  child(): Environment {
    if (this.#own.size === 0 && this.#parent !== undefined) return this.#parent.child()
    if (this.#depth < MAX_DEPTH) return new Environment(this)
    const copy = new Environment(undefined)
    this.#copyTo(copy)
    return copy
  }

  #copyTo(other: Environment): void {
    if (this.#parent !== undefined) this.#parent.#copyTo(other)
    for (const [name, value] of this.#own) other.set(name, value)
  }

  set(name: string, value: string): void {
    this.#own.set(name, value)
  }

  readonly get: Variables = (name) => this.#own.get(name) ?? this.#parent?.get(name)
}
