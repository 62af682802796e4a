/**
 * Unpacked sizes of base layers, remembered between runs: a layer's digest says all about its bytes, so what was counted
 * once holds for ever. A JSON file; garbage in it, or another version, is no memory and no error.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** 1: digest → file bytes in the tar. */
const VERSION = 1
const MAX_ENTRIES = 10_000
const MAX_FILE_BYTES = 4 << 20

export class LayerMemory {
  readonly #path: string
  readonly #sizes: Map<string, number>
  #changed = false

  private constructor(path: string, sizes: Map<string, number>) {
    this.#path = path
    this.#sizes = sizes
  }

  static async open(path: string): Promise<LayerMemory> {
    return new LayerMemory(path, await readSizes(path))
  }

  get(digest: string): number | undefined {
    return this.#sizes.get(digest)
  }

  set(digest: string, bytes: number): void {
    this.#sizes.delete(digest)
    this.#sizes.set(digest, bytes)
    this.#changed = true
  }

  /** Writes what is new, together with what other processes wrote meanwhile. A disk that refuses is no error. */
  async save(): Promise<void> {
    if (!this.#changed) return
    const merged = [...new Map([...(await readSizes(this.#path)), ...this.#sizes])].slice(-MAX_ENTRIES)
    const temporary = `${this.#path}.${randomUUID()}`
    try {
      await mkdir(dirname(this.#path), { recursive: true })
      await writeFile(temporary, JSON.stringify({ version: VERSION, sizes: Object.fromEntries(merged) }))
      await rename(temporary, this.#path)
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }
}

async function readSizes(path: string): Promise<Map<string, number>> {
  try {
    const text = await readFile(path, 'utf8')
    const file: unknown = text.length > MAX_FILE_BYTES ? undefined : JSON.parse(text)
    if (typeof file !== 'object' || file === null || !('version' in file) || file.version !== VERSION) return new Map()
    const sizes: unknown = 'sizes' in file ? file.sizes : undefined
    if (typeof sizes !== 'object' || sizes === null) return new Map()
    return new Map(
      Object.entries(sizes).filter(
        (entry): entry is [string, number] =>
          /^sha256:[0-9a-f]{64}$/.test(entry[0]) &&
          typeof entry[1] === 'number' &&
          Number.isSafeInteger(entry[1]) &&
          entry[1] >= 0,
      ),
    )
  } catch {
    return new Map()
  }
}
