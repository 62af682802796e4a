/** Parts of JSON that others may have written. Nothing here recurses, throws, or looks at more than it was allowed to. */

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Each item once: the same JSON is the same. */
export function distinct<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()]
}

/** An own property, or one of one of one; undefined for what is no object. */
export function field(value: unknown, ...path: readonly string[]): unknown {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Readonly<Record<string, unknown>>)[key]
  }
  return at
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

/** The items of a list; none of what is no list. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/** A text that says something. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A whole number from 1: of a pull request, of a comment, of a run's attempt. */
export function positive(value: unknown): number | undefined {
  return isCount(value) && value > 0 ? value : undefined
}

export function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest
}

/** A whole number, neither negative nor too large to be exact. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
