/** A session's folder with entries for a cache backend, and what lies in it. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface CacheFolder extends AsyncDisposable {
  readonly root: string
  /** Writes an entry's files. */
  readonly write: (path: string, files: Readonly<Record<string, string | Buffer>>) => Promise<void>
  /** An entry's files as text; undefined where there is none. */
  readonly read: (path: string) => Promise<Record<string, string> | undefined>
}

export async function cacheFolder(): Promise<CacheFolder> {
  const root = await mkdtemp(join(tmpdir(), 'stage-build-session-'))
  return {
    root,
    write: async (path, files) => {
      await rm(join(root, path), { recursive: true, force: true })
      await mkdir(join(root, path), { recursive: true })
      for (const [name, content] of Object.entries(files)) await writeFile(join(root, path, name), content)
    },
    read: async (path) => {
      const names = await readdir(join(root, path)).catch(() => undefined)
      if (names === undefined) return undefined
      const read = async (name: string): Promise<[string, string]> => [
        name,
        await readFile(join(root, path, name), 'utf8'),
      ]
      return Object.fromEntries(await Promise.all(names.sort().map(read)))
    },
    [Symbol.asyncDispose]: async () => {
      await rm(root, { recursive: true, force: true })
    },
  }
}
