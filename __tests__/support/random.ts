/** Numbers that a seed tells beforehand. https://en.wikipedia.org/wiki/Linear_congruential_generator */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed % 2 ** 32
    // Seeds that lie side by side begin alike.
    for (let i = 0; i < 8; i++) this.below(2)
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return Math.floor((this.#state / 2 ** 32) * limit)
  }

  /** Undefined where there is nothing to pick from. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)]
  }

  /** A word that has hardly been there before. */
  word(): string {
    return this.below(2 ** 32).toString(36)
  }
}
