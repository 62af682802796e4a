/** Buildx's metadata file: unknown JSON → what is used of it, by the user's names of the targets. Pure. */
import { parseJson } from '../json-fields.ts'
import { asRecord, textAt } from './json.ts'

/** What one target became. */
export interface TargetResult {
  readonly target: string
  /** Digest of the image (or index) that the last image output made; undefined without one. */
  readonly digest: string | undefined
  /** Digest of the image's configuration (`docker image ls` calls it the image id); undefined for several platforms. */
  readonly configDigest: string | undefined
  /** The references that it was given, in full form. */
  readonly names: readonly string[]
  readonly mediaType: string | undefined
  /** Build record: `builder/node/id`. */
  readonly buildRef: string | undefined
  /** `buildx.build.provenance`, as it stands. */
  readonly provenance: unknown
}

export interface BuildMetadata {
  readonly results: readonly TargetResult[]
  /** The whole file keyed by the user's names: what docker/bake-action puts out as `metadata`. */
  readonly output: Readonly<Record<string, unknown>>
}

/**
 * Reads the file.
 * Keys: https://github.com/docker/buildx/blob/v0.29.1/docs/reference/buildx_bake.md#metadata-file
 */
export function readMetadata(
  text: string,
  targets: readonly { readonly id: string; readonly name: string }[],
): BuildMetadata {
  const file = asRecord(parseJson(text)) ?? {}
  // Bake's own keys beside the targets (warnings) stay as they are.
  const own = Object.entries(file).filter(([key]) => !targets.some((target) => target.id === key))
  const mine = targets.map((target) => ({ ...target, entry: asRecord(file[target.id]) ?? {} }))
  return {
    results: mine.map(({ name, entry }) => readResult(name, entry)),
    output: Object.fromEntries([...mine.map(({ name, entry }) => [name, entry] as const), ...own]),
  }
}

function readResult(target: string, entry: Record<string, unknown>): TargetResult {
  return {
    target,
    digest: textAt(entry, 'containerimage.digest'),
    configDigest: textAt(entry, 'containerimage.config.digest'),
    names: (textAt(entry, 'image.name') ?? '').split(',').filter((name) => name !== ''),
    mediaType: textAt(asRecord(entry['containerimage.descriptor']), 'mediaType'),
    buildRef: textAt(entry, 'buildx.build.ref'),
    provenance: entry['buildx.build.provenance'],
  }
}
