/** Names and inodes of a directory: one call of the system for each file, which is nearly all of the time that a walk takes. */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { fromHere } from './near-path.ts'

/** A directory's names, sorted by code unit, and of each so many numbers, as `Field` says. */
export interface Listing {
  readonly names: readonly string[]
  readonly numbers: Float64Array
}

/** Where a file's numbers are, from `index * FIELDS` on. The mode is 0 for what is gone. */
export const Field = { mode: 0, size: 1, mtimeMs: 2, ctimeMs: 3, ino: 4, dev: 5, uid: 6, gid: 7, rdev: 8 } as const
export const FIELDS = 9

/** What lstat said of one file, as numbers. */
export function numbersOf(stats: Stats): Float64Array {
  const numbers = new Float64Array(FIELDS)
  setNumbers(numbers, 0, stats)
  return numbers
}

function setNumbers(numbers: Float64Array, at: number, stats: Stats): void {
  numbers[at] = stats.mode
  numbers[at + Field.size] = stats.size
  numbers[at + Field.mtimeMs] = stats.mtimeMs
  numbers[at + Field.ctimeMs] = stats.ctimeMs
  numbers[at + Field.ino] = stats.ino
  numbers[at + Field.dev] = stats.dev
  numbers[at + Field.uid] = stats.uid
  numbers[at + Field.gid] = stats.gid
  numbers[at + Field.rdev] = stats.rdev
}

/**
 * Lists a directory.
 * @param path absolute
 * @throws the system's error when it cannot be listed
 */
export function listDirectory(path: string): Listing {
  const near = fromHere(path)
  const names = readdirSync(near).sort()
  const numbers = new Float64Array(names.length * FIELDS)
  for (let index = 0; index < names.length; index++) {
    const stats = lstatSync(`${near}/${names[index] ?? ''}`, { throwIfNoEntry: false })
    if (stats !== undefined) setNumbers(numbers, index * FIELDS, stats)
  }
  return { names, numbers }
}

/** The same; undefined where it cannot be listed: who needs it lists it again, and says why. */
export function listOrNothing(path: string): Listing | undefined {
  try {
    return listDirectory(path)
  } catch {
    return undefined
  }
}
