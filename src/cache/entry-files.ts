/**
 * What an entry of the cache may be called and may hold: a directory with a few regular files and nothing else. Both
 * backends check it on the way in and out, since others may have written what they find.
 */
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { EntryPlace } from './cache-backend.ts'

const KEY = /^[a-z0-9-]{1,512}$/
const FILE = /^[a-z0-9._-]{1,255}$/
const PATH = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/
const MAX_FILES = 1000

export function isEntryKey(key: string): boolean {
  return KEY.test(key)
}

/** What is wrong with a request, or undefined. */
export function placeFault({ key, path }: EntryPlace, prefixes: readonly string[] = []): string | undefined {
  if (![key, ...prefixes].every(isEntryKey)) return 'a key of the cache has letters that it must not have'
  if (!PATH.test(path)) return `${JSON.stringify(path)} is no path of a cache entry`
  return undefined
}

/** Whether a key that was found is one that was asked for. */
export function isAskedFor(found: string, key: string, prefixes: readonly string[]): boolean {
  return isEntryKey(found) && (found === key || prefixes.some((prefix) => found.startsWith(prefix)))
}

/**
 * The names of an entry's files.
 * @throws ENOENT when it is not there; Error when it is no directory, or holds anything but regular files with plain names.
 */
export async function entryFiles(directory: string): Promise<string[]> {
  if (!(await lstat(directory)).isDirectory()) throw new Error('the entry is no directory')
  const found = await readdir(directory, { withFileTypes: true })
  if (found.length > MAX_FILES) throw new Error(`the entry has ${found.length} files`)
  for (const file of found) {
    if (!file.isFile() || !FILE.test(file.name) || file.name === '.' || file.name === '..') {
      throw new Error(`the entry holds ${JSON.stringify(file.name)}, which is no plain file`)
    }
  }
  return found.map(({ name }) => name)
}

/**
 * Moves an entry's files to a directory on the same file system, in place of those of the same names. Others there stay: the
 * indexes of several branches come into one directory, side by side.
 */
export async function moveInto(directory: string, place: string): Promise<void> {
  await mkdir(place, { recursive: true })
  for (const name of await readdir(directory)) await rename(join(directory, name), join(place, name))
  await rm(directory, { recursive: true, force: true })
}
