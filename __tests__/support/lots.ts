/** Lots that a seed decides: a linear congruential generator (https://en.wikipedia.org/wiki/Linear_congruential_generator). */

export class Lots {
  #state: number

  constructor(seed: number) {
    this.#state = seed
    // Seeds that lie side by side begin alike.
    for (let i = 0; i < 8; i++) this.below(2)
  }

  /** A whole number from 0. */
  below(limit: number): number {
    this.#state = (this.#state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return Math.floor((this.#state / 2 ** 32) * limit)
  }

  pick<T>(items: readonly [T, ...T[]] | readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  /** Fisher and Yates. */
  shuffle<T>(items: readonly T[]): readonly T[] {
    const left = [...items]
    return items.flatMap(() => left.splice(this.below(left.length), 1))
  }
}
