/** One entry of a cache directory: `KEY/files/…`. The time of `KEY` is its last use, that of `files` its creation. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, lstat, mkdir, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'
import { entryFiles, isEntryKey } from './entry-files.ts'

const FILES = 'files'

/** Linking is not possible here; a copy may be. EPERM: of another user's file, or a file system without links. */
const NO_LINK = ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/** A name that nobody has; it begins with a dot, as no path and no key of an entry does. */
export function temporaryName(): string {
  return `.stage-build-${process.pid}-${randomBytes(8).toString('hex')}`
}

/**
 * Lays an entry out at a new place, ready to be renamed.
 * @throws ENOENT without a source; Error when the source is no entry, or larger than `maxBytes`.
 */
export async function writeEntry(source: string, place: string, created: Date, maxBytes: number): Promise<void> {
  await lstat(source)
  await mkdir(join(place, FILES), { recursive: true })
  await copyFiles(source, join(place, FILES))
  if ((await entryBytes(place)) > maxBytes) throw new EntryTooLargeError()
  await utimes(join(place, FILES), created, created)
}

export class EntryTooLargeError extends Error {}

/**
 * Puts an entry's files into a new directory: all of them, or it throws.
 * @throws ENOENT when the entry is not there, or goes meanwhile.
 */
export async function readEntry(entry: string, directory: string): Promise<void> {
  const files = join(entry, FILES)
  const before = await stat(files)
  await mkdir(directory)
  await copyFiles(files, directory)
  // An entry that is evicted leaves its name first and loses its files then: with the name here they were all here.
  const after = await stat(files)
  if (after.ino !== before.ino || after.mtimeMs !== before.mtimeMs) {
    throw Object.assign(new Error('the entry was replaced'), { code: 'ENOENT' })
  }
  await entryFiles(directory)
}

async function copyFiles(from: string, to: string): Promise<void> {
  for (const name of await entryFiles(from)) {
    try {
      await link(join(from, name), join(to, name))
    } catch (error) {
      if (!NO_LINK.includes(errorCode(error) ?? '')) throw error
      await copyFile(join(from, name), join(to, name), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    }
  }
}

/** When an entry was saved, in ms; undefined when it is gone. */
export async function creationTime(entry: string): Promise<number | undefined> {
  return (await stat(join(entry, FILES)).catch(() => undefined))?.mtimeMs
}

/** Σ of an entry's files; of one that is going, what is left. */
export async function entryBytes(entry: string): Promise<number> {
  const names = await readdir(join(entry, FILES)).catch(() => [])
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(entry, FILES, name)).catch(() => undefined))?.size),
  )
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}

/** The keys in a scope's folder; none without the folder. */
export async function entryKeys(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(isEntryKey)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    return []
  }
}

/** Removes a directory and never fails. */
export async function discard(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true }).catch(() => undefined)
}
