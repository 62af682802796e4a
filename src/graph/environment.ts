/**
 * The variables of one stage while its instructions are gone through: what its base had, then each ARG and ENV. It is
 * built on the base's by reference, so that long chains of stages neither copy everything nor look through everything.
 */
import type { Variables } from '../dockerfile/lexer.ts'

/** What BuildKit puts where an image sets no PATH. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export class Environment {
  readonly #parent: Environment | undefined
  readonly #own: Map<string, string>
  #compact: Environment | undefined

  private constructor(parent: Environment | undefined, own = new Map<string, string>()) {
    this.#parent = parent
    this.#own = own
  }

  /** Of a stage based on an image whose configuration says this (`NAME=value`), or on nothing. */
  static initial(env: readonly string[] = []): Environment {
    const own = new Map([['PATH', DEFAULT_PATH]])
    for (const pair of env) {
      const equals = pair.indexOf('=')
      own.set(equals === -1 ? pair : pair.slice(0, equals), equals === -1 ? '' : pair.slice(equals + 1))
    }
    return new Environment(undefined, own)
  }

  /** Of a stage based on the stage that ends with this one; nothing may be set here afterwards. */
  child(): Environment {
    this.#compact ??= this.#compacted()
    return new Environment(this.#compact)
  }

  /** The same variables in layers that at least double in size downwards: few to look through, little to copy. */
  #compacted(): Environment {
    if (this.#own.size === 0 && this.#parent !== undefined) return this.#parent
    let parent = this.#parent
    let own = this.#own
    while (parent !== undefined && parent.#own.size < 2 * own.size) {
      const merged = new Map(parent.#own)
      for (const [name, value] of own) merged.set(name, value)
      own = merged
      parent = parent.#parent
    }
    return own === this.#own ? this : new Environment(parent, own)
  }

  set(name: string, value: string): void {
    this.#own.set(name, value)
  }

  readonly get: Variables = (name) => this.#own.get(name) ?? this.#parent?.get(name)
}
