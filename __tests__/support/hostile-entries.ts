/** Entries that nobody should believe: of a later version, contradictory, or made to write outside of the cache's folder. */
import { randomBytes } from 'node:crypto'
import { access } from 'node:fs/promises'
import { unpack } from './cache-lab.ts'
import type { CacheService } from './cache-service.ts'
import { replace } from './entry-transfer.ts'
import type { Trial } from './fault-lab.ts'
import type { Lots } from './lots.ts'
import type { RawEntry } from './raw-tar.ts'
import { archiveOf } from './scripted-cache-service.ts'

interface Pack {
  readonly path: string
  readonly blobs: Readonly<Record<string, number>>
}

interface Layer {
  readonly size: number
}

interface Target {
  readonly layers: readonly Layer[]
  readonly config: { readonly layers: readonly object[] }
}

/** The part of an index that is forged. */
interface IndexJson {
  readonly packs: Readonly<Record<string, Pack>>
  readonly targets: Readonly<Record<string, Target>>
}

/** What is written in an index's place. */
const INDEXES: readonly ((index: IndexJson) => unknown)[] = [
  (index) => ({ ...index, version: 2 }),
  () => 'no index',
  () => ({ version: 1, packs: { ['__proto__']: {} }, targets: [] }),
  (index) => ({ ...index, more: ' '.repeat(70 << 20) }),
  (index) => ({ ...index, createdAt: '9999-01-01T00:00:00Z' }),
  (index) => ({ ...index, records: { images: 'none', ['__proto__']: 7, builds: [[[]]] } }),
  packs((pack) => ({ ...pack, path: '../../../../tmp' })),
  packs(({ blobs, ...pack }) => ({ ...pack, blobs: values(blobs, (size) => size * 2) })),
  packs(({ blobs, ...pack }) => ({ ...pack, blobs: values(blobs, () => 1) })),
  packs(({ blobs, ...pack }) => ({ ...pack, blobs: values(blobs, () => -1) })),
  // A pack that holds something else, and one that nobody has.
  packs(({ blobs, ...pack }) => ({ ...pack, blobs: rotated(blobs) })),
  (index) => ({ ...index, packs: Object.fromEntries(Object.entries(index.packs).map(elsewhere)) }),
  targets(({ layers, ...target }) => ({ ...target, layers: layers.toReversed() })),
  targets(({ layers, ...target }) => ({
    ...target,
    layers: layers.map((layer) => ({ ...layer, size: layer.size + 1 })),
  })),
  targets((target) => withConfig(target, (layers) => layers.map((layer, at) => ({ ...layer, parent: at })))),
  targets((target) => withConfig(target, (layers) => layers.toReversed())),
]

/** Puts such an entry into the place of the last of its kind, if there is one. */
export async function plant(service: CacheService, what: 'index' | 'pack', lots: Lots): Promise<Trial> {
  const entry = service.stats().entries.findLast(({ key }) => key.startsWith(`sb1-${what}-`))
  if (entry === undefined) return {}
  const outside = `/tmp/stage-build-escaped-${randomBytes(6).toString('hex')}`
  const files = [...(await unpack(service, entry))].map(([path, body]) => ({ path, body }))
  const way = lots.below(4)
  const archive = way === 0 ? escaping(files, outside, lots) : what === 'index' ? forgedIndex(files, lots) : forgedPack(files, lots) // prettier-ignore
  await replace(service, entry, archive)
  const check = async (): Promise<readonly string[]> => {
    const isThere = await access(outside).then(() => true, () => false) // prettier-ignore
    return isThere ? [`${outside} was written`] : []
  }
  return { check }
}

function forgedIndex(files: readonly RawEntry[], lots: Lots): Buffer {
  const blobs = files.filter(({ path }) => !path.endsWith('.json'))
  // What came with it is as little to be trusted as what it says.
  if (blobs.length > 0 && lots.below(3) === 0) {
    return archiveOf([...files.filter((file) => !blobs.includes(file)), ...exchanged(blobs)])
  }
  const forge = lots.pick(INDEXES)
  const entries = files.map((file) => {
    if (blobs.includes(file)) return file
    return { ...file, body: JSON.stringify(forge(JSON.parse(String(file.body ?? '')) as IndexJson)) }
  })
  return archiveOf(entries)
}

function forgedPack(files: readonly RawEntry[], lots: Lots): Buffer {
  return lots.pick([
    () => archiveOf([]),
    () => Buffer.from('no archive'),
    () => archiveOf(exchanged(files)),
    () => archiveOf(files.map(({ path }) => ({ path, body: '' }))),
    () => archiveOf(files.slice(1)),
  ])()
}

/** Each file with the bytes of another; one alone without any. */
function exchanged(files: readonly RawEntry[]): readonly RawEntry[] {
  return files.map(({ path }, at) => ({ path, body: files.length === 1 ? '' : (files.at(at - 1)?.body ?? '') }))
}

/** Names, and links that a later file is written through. */
function escaping(files: readonly RawEntry[], outside: string, lots: Lots): Buffer {
  const [first = { path: 'index/x' }] = files
  const folder = first.path.slice(0, first.path.lastIndexOf('/'))
  return lots.pick([
    () => archiveOf([...files, { path: outside, body: 'x' }]),
    () => archiveOf([...files, { path: `${'../'.repeat(12)}${outside.slice(1)}`, body: 'x' }]),
    () => archiveOf([{ path: `${folder}/link`, type: '2', linkPath: '/tmp' }, { path: `${folder}/link/${outside.slice('/tmp/'.length)}`, body: 'x' }, ...files]), // prettier-ignore
    () => archiveOf(files.map(({ path }) => ({ path, type: '2', linkPath: '/etc/hostname' }))),
    () => archiveOf(files.map(({ path }) => ({ path, type: '1', linkPath: '/etc/hostname' }))),
    () => archiveOf(files.map(({ path }) => ({ path, type: '6' }))),
  ])()
}

function packs(change: (pack: Pack) => Pack): (index: IndexJson) => IndexJson {
  return (index) => ({ ...index, packs: values(index.packs, change) })
}

function targets(change: (target: Target) => Target): (index: IndexJson) => IndexJson {
  return (index) => ({ ...index, targets: values(index.targets, change) })
}

function withConfig(target: Target, change: (layers: readonly object[]) => readonly object[]): Target {
  return { ...target, config: { ...target.config, layers: change(target.config.layers) } }
}

function values<T>(map: Readonly<Record<string, T>>, change: (value: T) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]))
}

function rotated(blobs: Pack['blobs']): Pack['blobs'] {
  const sizes = Object.values(blobs)
  return Object.fromEntries(Object.keys(blobs).map((digest, at) => [digest, sizes.at(at - 1) ?? 0]))
}

function elsewhere([key, pack]: readonly [string, Pack]): readonly [string, Pack] {
  const id = randomBytes(16).toString('hex')
  return [`${key.slice(0, key.lastIndexOf('-'))}-${id}`, { ...pack, path: `packs/${id}` }]
}
