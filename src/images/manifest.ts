/**
 * Manifests and image configs as registries and OCI layouts keep them: media types, and the fields that are relied on,
 * checked, since all of it comes from outside.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md, .../image-index.md, .../config.md
 */
import { createHash } from 'node:crypto'
import { type Platform, formatPlatform, normalizePlatform, platformRank } from './platform.ts'
import { digestFault } from './reference.ts'

export const MEDIA_TYPES = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const

/** Larger manifests are refused, as registries do (https://github.com/opencontainers/distribution-spec/pull/293). */
export const MAX_MANIFEST_BYTES = 4 << 20

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  /** Bytes. */
  readonly size: number
}

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform | undefined
  readonly annotations: Readonly<Record<string, string>>
}

export type Manifest =
  | { readonly kind: 'index'; readonly mediaType: string; readonly manifests: readonly IndexEntry[] }
  | {
      readonly kind: 'image'
      readonly mediaType: string
      readonly config: Descriptor
      readonly layers: readonly Descriptor[]
    }

/** The parts of an image config that are used. */
export interface ImageConfig {
  readonly platform: Platform
  /** Digests of the unpacked layers, the lowest first. */
  readonly diffIds: readonly string[]
  readonly history: readonly ImageHistory[]
  readonly env: readonly string[]
  readonly onBuild: readonly string[]
  readonly user: string
  readonly workingDir: string
}

export interface ImageHistory {
  readonly createdBy: string
  readonly created: string | undefined
  readonly comment: string
  readonly emptyLayer: boolean
}

/** What came is no manifest or config; the message is a clause. */
export class ManifestError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ManifestError'
  }
}

type Json = Readonly<Record<string, unknown>>

/** @throws ManifestError */
export function parseManifest(bytes: Buffer, contentType: string | undefined): Manifest {
  const json = parseObject(bytes, 'manifest')
  if (json['schemaVersion'] !== 2) throw new ManifestError('the manifest is of an obsolete version (not 2)')
  const known: readonly string[] = Object.values(MEDIA_TYPES)
  const header = contentType?.split(';')[0]?.trim()
  // The header of a registry may be general (application/json); the manifest's own word counts then.
  const named = [header, json['mediaType']].find((type) => typeof type === 'string' && known.includes(type))
  const isIndex = Array.isArray(json['manifests'])
  const mediaType = typeof named === 'string' ? named : isIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest
  if (isIndex !== (mediaType === MEDIA_TYPES.ociIndex || mediaType === MEDIA_TYPES.dockerList)) {
    throw new ManifestError(`the manifest is not what its media type (${mediaType}) says`)
  }
  if (isIndex) return { kind: 'index', mediaType, manifests: list(json['manifests']).map(parseEntry) }
  return {
    kind: 'image',
    mediaType,
    config: parseDescriptor(json['config']),
    layers: list(json['layers']).map(parseDescriptor),
  }
}

/** @throws ManifestError */
export function parseImageConfig(bytes: Buffer): ImageConfig {
  const json = parseObject(bytes, 'image config')
  const config = object(json['config'])
  const diffIds = strings(object(json['rootfs'])['diff_ids'])
  if (diffIds.some((digest) => digestFault(digest) !== undefined)) throw new ManifestError('a diff ID is no digest')
  return {
    platform: normalizePlatform({
      os: text(json['os']) ?? 'linux',
      architecture: text(json['architecture']) ?? 'unknown',
      variant: text(json['variant']),
    }),
    diffIds,
    history: list(json['history']).map((entry) => ({
      createdBy: text(object(entry)['created_by']) ?? '',
      created: text(object(entry)['created']),
      comment: text(object(entry)['comment']) ?? '',
      emptyLayer: object(entry)['empty_layer'] === true,
    })),
    env: strings(config['Env']),
    onBuild: strings(config['OnBuild']),
    user: text(config['User']) ?? '',
    workingDir: text(config['WorkingDir']) ?? '',
  }
}

/**
 * The entry of an index that serves a platform best; one that names no platform serves when no other does (it is an
 * attestation or an index of its own otherwise).
 */
export function selectEntry(entries: readonly IndexEntry[], wanted: Platform): IndexEntry | undefined {
  let best: { readonly entry: IndexEntry; readonly rank: number } | undefined
  for (const entry of entries) {
    if (isAttestation(entry)) continue
    const rank = entry.platform === undefined ? Number.MAX_SAFE_INTEGER : platformRank(wanted, entry.platform)
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { entry, rank }
  }
  return best?.entry
}

/** The platforms that an index has images for, each once. */
export function indexPlatforms(entries: readonly IndexEntry[]): readonly string[] {
  const images = entries.filter((entry) => !isAttestation(entry))
  return [...new Set(images.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)])))]
}

function isAttestation(entry: IndexEntry): boolean {
  return 'vnd.docker.reference.type' in entry.annotations || entry.platform?.os === 'unknown'
}

/** The digest of bytes, in the algorithm of `like`. */
export function digestOf(bytes: Buffer, like = 'sha256:'): string {
  const algorithm = like.slice(0, like.indexOf(':'))
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}

function parseEntry(value: unknown): IndexEntry {
  const json = object(value)
  const platform = object(json['platform'])
  const os = text(platform['os'])
  const architecture = text(platform['architecture'])
  const annotations = Object.entries(object(json['annotations'])).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  )
  return {
    ...parseDescriptor(value),
    annotations: Object.fromEntries(annotations),
    ...(os === undefined || architecture === undefined
      ? {}
      : { platform: normalizePlatform({ os, architecture, variant: text(platform['variant']) }) }),
  }
}

function parseDescriptor(value: unknown): Descriptor {
  const { digest, size, mediaType } = object(value)
  if (typeof digest !== 'string' || digestFault(digest) !== undefined) {
    throw new ManifestError('the manifest names something by an invalid digest')
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw new ManifestError('the manifest names something of an invalid size')
  }
  return { mediaType: text(mediaType) ?? '', digest, size }
}

function parseObject(bytes: Buffer, what: string): Json {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json
  } catch {
    // Said below; the parser's words would quote the answer.
  }
  throw new ManifestError(`the ${what} is not a JSON object`)
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function strings(value: unknown): readonly string[] {
  return list(value).filter((item): item is string => typeof item === 'string')
}
