/** Parts of JSON that others may have written. Nothing here recurses, throws, or looks at more than it was allowed to. */

/** An own property; undefined for what is no object. */
export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined
}

/** Every item as read; undefined where one cannot be, or it is no list, or one of more than `most` items. */
export function all<T>(value: unknown, read: (item: unknown) => T | undefined, most: number): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > most) return undefined
  const items: T[] = []
  for (const item of value as readonly unknown[]) {
    const parsed = read(item)
    if (parsed === undefined) return undefined
    items.push(parsed)
  }
  return items
}

/** Own properties of an object; none of what is no object, or has more than `most`. */
export function entries(value: unknown, most: number): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const found = Object.entries(value)
  return found.length > most ? [] : found
}

export function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest
}

/** A whole number, neither negative nor too large to be exact. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
