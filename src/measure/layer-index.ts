/**
 * Keeps what a layer holds while it streams by (as `readLayer`'s listener): entries packed to some bytes each, the text of
 * package databases, name and version of npm packages. Bounded: a layer with more than `LAYER_LIMITS` has no index but a
 * reason. What the entries come to as files is worked out when it is asked for (`layer-files.ts`).
 */
import type { FilesBudget, FilesLimits } from './files-budget.ts'
import { trimPath } from './layer-nodes.ts'
import { isPackageText, MAX_NPM_BYTES, MAX_NPM_MANIFESTS, MAX_TEXT_BYTES, npmManifest } from './package-files.ts'
import type { NpmManifest } from './package-files.ts'
import { EntryPacker } from './packed-entries.ts'
import type { ContentSink, TarEntry, TarListener } from './tar-walker.ts'

/** What was kept of a layer. */
export interface PackedLayer {
  /** As `visitEntries` reads them. */
  readonly entries: Buffer
  /** Text of package databases, by the entry's number. */
  readonly texts: ReadonlyMap<number, Buffer>
  readonly npm: ReadonlyMap<number, NpmManifest>
}

/** The index of a layer, or one sentence why there is none. */
export type LayerIndex =
  { readonly files: PackedLayer; readonly reason?: undefined } | { readonly files?: undefined; readonly reason: string }

/** Of one layer. An entry's path is cut where it is that of its neighbour, and takes 20 to 40 bytes. */
export const LAYER_LIMITS: FilesLimits = { entries: 500_000, bytes: 64 << 20 }

export class LayerIndexer implements TarListener {
  readonly #budget: FilesBudget | undefined
  readonly #texts = new Map<number, Buffer>()
  readonly #npm = new Map<number, NpmManifest>()
  #packer = new EntryPacker()
  #taken: FilesLimits = { entries: 0, bytes: 0 }
  #reason: string | undefined

  /** An indexer for one layer. What it holds counts in `budget` until it is abandoned. */
  constructor(budget?: FilesBudget) {
    this.#budget = budget
  }

  readonly onEntry = (entry: TarEntry): void => {
    if (this.#reason !== undefined) return
    const before = this.#packer.length
    this.#packer.add(entry)
    if (this.#take({ entries: 1, bytes: this.#packer.length - before })) return
    this.abandon('there are too many')
  }

  readonly openContent = ({ path, size }: TarEntry): ContentSink | undefined => {
    if (this.#reason !== undefined || size === 0 || size > MAX_TEXT_BYTES) return undefined
    const entry = this.#taken.entries - 1
    if (path.endsWith('/package.json') && path.includes('node_modules/')) {
      if (size > MAX_NPM_BYTES || this.#npm.size >= MAX_NPM_MANIFESTS) return undefined
      return collect(size, (text) => {
        const manifest = npmManifest(text)
        if (manifest !== undefined && this.#take({ entries: 0, bytes: manifest.name.length + manifest.version.length }))
          this.#npm.set(entry, manifest)
      })
    }
    // Without a package's text there is still an index.
    if (!isPackageText(trimPath(path)) || !this.#take({ entries: 0, bytes: size })) return undefined
    return collect(size, (text) => {
      this.#texts.set(entry, text)
    })
  }

  /** The index, after the layer was read to its end. */
  finish(): LayerIndex {
    if (this.#reason !== undefined) return { reason: unknownFiles(this.#reason) }
    return { files: { entries: this.#packer.finish(), texts: this.#texts, npm: this.#npm } }
  }

  /** Drops what was found, as for a layer that turns out to be unreadable. */
  abandon(reason = 'the layer could not be read'): void {
    this.#reason ??= reason
    this.#budget?.giveBack(this.#taken)
    this.#taken = { entries: 0, bytes: 0 }
    this.#packer = new EntryPacker()
    this.#texts.clear()
    this.#npm.clear()
  }

  #take({ entries, bytes }: FilesLimits): boolean {
    const taken = { entries: this.#taken.entries + entries, bytes: this.#taken.bytes + bytes }
    if (taken.entries > LAYER_LIMITS.entries || taken.bytes > LAYER_LIMITS.bytes) return false
    if (this.#budget?.take({ entries, bytes }) === false) return false
    this.#taken = taken
    return true
  }
}

/** Why the files of a layer are not known, as a sentence. */
export function unknownFiles(reason: string): string {
  return `The files of a layer are not known: ${reason}.`
}

function collect(size: number, done: (text: Buffer) => void): ContentSink {
  const text = Buffer.allocUnsafeSlow(size)
  let filled = 0
  return {
    write: (piece) => {
      text.set(piece, filled)
      filled += piece.length
    },
    end: () => {
      done(text)
    },
  }
}
