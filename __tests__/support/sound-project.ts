/**
 * Projects as plain data, so that a mutation is a change of data, and what it changed can be taken back: files of the
 * workspace, the Dockerfile's text, the action's inputs. What plain data does not have (times, git's index) is done to
 * the directory.
 */
import { chmod, lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export type Entry =
  | { readonly type: 'file'; readonly content: string; readonly mode: number }
  | { readonly type: 'link'; readonly target: string }
  | { readonly type: 'directory'; readonly mode: number }

export interface Variant {
  /** By path, relative to the workspace. Directories are there where a file needs them; only other ones stand here. */
  files: Record<string, Entry>
  dockerfile: string
  /** The action's inputs by name; lists are lines. */
  inputs: Record<string, readonly string[]>
  /** What the moving tag `base:1` is: one of the lab's images. */
  base: number
}

export function file(content: string, mode = 0o644): Entry {
  return { type: 'file', content, mode }
}

/** Writes what differs between two variants; what is equal is not touched. */
export async function writeVariant(root: string, before: Variant | undefined, now: Variant): Promise<void> {
  const [old, wanted] = [entriesOf(before), entriesOf(now)]
  const gone = [...old.keys()].filter((path) => !wanted.has(path))
  for (const path of gone) {
    await rm(join(root, path), { recursive: true, force: true })
    await removeEmpty(root, dirname(path), wanted)
  }
  for (const [path, entry] of wanted) {
    const known = old.get(path)
    if (JSON.stringify(known) === JSON.stringify(entry) && !gone.some((other) => path.startsWith(`${other}/`))) continue
    await writeEntry(join(root, path), entry, known)
  }
}

function entriesOf(variant: Variant | undefined): ReadonlyMap<string, Entry> {
  if (variant === undefined) return new Map()
  return new Map([...Object.entries(variant.files), ['Dockerfile', file(variant.dockerfile)] as const])
}

async function writeEntry(path: string, entry: Entry, known: Entry | undefined): Promise<void> {
  if (known !== undefined && known.type !== entry.type) await rm(path, { recursive: true, force: true })
  await mkdir(dirname(path), { recursive: true })
  switch (entry.type) {
    case 'file':
      if (known?.type !== 'file' || known.content !== entry.content) await writeFile(path, entry.content)
      await chmod(path, entry.mode)
      return
    case 'directory':
      await mkdir(path, { recursive: true })
      await chmod(path, entry.mode)
      return
    case 'link':
      await rm(path, { recursive: true, force: true })
      await symlink(entry.target, path)
  }
}

/** As git leaves no empty directories behind. */
async function removeEmpty(root: string, directory: string, wanted: ReadonlyMap<string, Entry>): Promise<void> {
  if (directory === '.' || wanted.has(directory)) return
  const path = join(root, directory)
  const stats = await lstat(path).catch(() => undefined)
  if (stats?.isDirectory() !== true || (await readdir(path)).length > 0) return
  await rm(path, { recursive: true })
  await removeEmpty(root, dirname(directory), wanted)
}
