/** Lots that a seed decides. */
import { Random } from './random.ts'

export class Lots extends Random {
  /** @throws Error where there is nothing to pick from */
  override pick<T>(items: readonly T[]): T {
    const item = super.pick(items)
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  /** Fisher and Yates. */
  shuffle<T>(items: readonly T[]): readonly T[] {
    const left = [...items]
    return items.flatMap(() => left.splice(this.below(left.length), 1))
  }
}
