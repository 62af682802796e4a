/** The real directory backend for several runs, one after the other; tells what was asked of it, and fails on demand. */
import { glob, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CacheBackend, EntryPlace, RestoreResult, SaveResult } from '../../src/cache/cache-backend.ts'
import { openDirectoryBackend } from '../../src/cache/directory-backend.ts'

export type Call = 'restore' | 'lookUp' | 'save'

export interface Session {
  /** The run's own folder. */
  readonly root: string
  readonly backend: CacheBackend
  /** `restore sb1-pack-…`, in order. */
  readonly calls: readonly string[]
  /** Puts files under the run's folder. */
  readonly write: (path: string, files: Readonly<Record<string, string | Buffer>>) => Promise<void>
}

export interface SessionOptions {
  readonly ref?: string
  readonly readable?: readonly string[]
  /** Stands in for the backend's answer. */
  readonly fails?: (
    call: Call,
    entry: EntryPlace,
  ) => Extract<RestoreResult & SaveResult, { kind: 'failed' }> | undefined
  /** Called with the directory that an entry was restored into. */
  readonly onRestored?: (directory: string) => Promise<void>
}

export interface BackendRig extends AsyncDisposable {
  readonly session: (options?: SessionOptions) => Promise<Session>
  /** Takes an entry away, as the service does. */
  readonly evict: (key: string) => Promise<void>
}

export const MAIN = 'refs/heads/main'
const timeoutMs = 60_000

/** An answer for `fails`. */
export function failure(why: Extract<SaveResult, { kind: 'failed' }>['why'] = 'other'): {
  readonly kind: 'failed'
  readonly why: typeof why
  readonly reason: string
} {
  return { kind: 'failed', why, reason: `made to fail (${why})` }
}

export async function backendRig(): Promise<BackendRig> {
  const folder = await mkdtemp(join(tmpdir(), 'stage-build-rig-'))
  const directory = join(folder, 'cache')
  let sessions = 0
  return {
    session: async (options = {}) => {
      const root = join(folder, `session-${sessions++}`)
      await mkdir(root)
      const ref = options.ref ?? MAIN
      const inner = openDirectoryBackend({
        ...{ root, directory, mayWrite: true, maxBytes: 1e9 },
        scopes: { own: ref, readable: options.readable ?? [ref] },
      })
      const calls: string[] = []
      return {
        ...{ root, calls, backend: recorded(inner, { root, calls, options }) },
        write: async (path, files) => {
          await mkdir(join(root, path), { recursive: true })
          for (const [name, content] of Object.entries(files)) await writeFile(join(root, path, name), content)
        },
      }
    },
    evict: async (key) => {
      for await (const entry of glob(`v1/*/${key}`, { cwd: directory })) {
        await rm(join(directory, entry), { recursive: true })
      }
    },
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function recorded(
  inner: CacheBackend,
  { root, calls, options }: { readonly root: string; readonly calls: string[]; readonly options: SessionOptions },
): CacheBackend {
  const answered = async <T>(call: Call, request: EntryPlace, answer: () => Promise<T>) => {
    calls.push(`${call} ${request.key}`)
    return options.fails?.(call, request) ?? (await answer())
  }
  return {
    kind: inner.kind,
    restore: (request) =>
      answered('restore', request, async () => {
        const result = await inner.restore(request)
        if (result.kind === 'hit') await options.onRestored?.(join(root, request.path))
        return result
      }),
    lookUp: (request) => answered('lookUp', request, () => inner.lookUp(request)),
    save: (request) => answered('save', request, () => inner.save(request)),
    close: () => inner.close(),
  }
}

/** Saves an entry from a run of its own. */
export async function saveEntry(
  rig: BackendRig,
  { key, path }: EntryPlace,
  files: Readonly<Record<string, string | Buffer>>,
  options?: SessionOptions,
): Promise<void> {
  const { backend, write } = await rig.session(options)
  await write(path, files)
  const result = await backend.save({ key, path, timeoutMs })
  if (result.kind !== 'saved') throw new Error(result.reason)
}
