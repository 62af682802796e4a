/** Work on many things, a bounded number at a time. */

/**
 * What `work` makes of each item, in their order. When one fails, those that run are left to end by themselves and no further
 * one is begun.
 * @param limit items at a time
 * @throws what `work` threw first
 */
export async function sideBySide<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const queue = items.entries()
  let failed = false
  // The workers share one iterator, so each takes the next item that is left.
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return
      try {
        results[index] = await work(item, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}
