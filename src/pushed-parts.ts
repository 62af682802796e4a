/**
 * Images of single platforms that legs of a matrix pushed by digest, and the index that they make together. Only asks
 * registries.
 */
import type { Problem } from './errors.ts'
import { mergeParts, type IndexPart, type MergedIndex } from './images/merged-index.ts'
import { repositoryOf } from './images/reference.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { RegistryError } from './images/registry-error.ts'

export interface PushedPart {
  readonly platform: string
  /** Of what was pushed: an index of one platform and its attestations, or an image. */
  readonly digest: string
  /** Where it was pushed to. */
  readonly repositories: readonly string[]
}

export type PartsMerged =
  | MergedIndex
  | { readonly kind: 'gone'; readonly platform: string; readonly missing: readonly string[] }
  /** A registry refused or did not answer. */
  | { readonly kind: 'unknown'; readonly platform: string; readonly problem: Problem }

interface PartOptions {
  readonly client: Pick<RegistryClient, 'fetchManifest' | 'fetchConfig'>
  readonly signal: AbortSignal
}

type ReadPart = IndexPart | Exclude<PartsMerged, MergedIndex>

/**
 * The index of all parts, which nothing has been written of yet.
 * @throws InvalidReferenceError; the signal's reason when it is aborted
 */
export async function mergePushed(parts: readonly PushedPart[], options: PartOptions): Promise<PartsMerged> {
  const read = await Promise.all(parts.map((part) => readPart(part, options)))
  const failed = read.find((part) => 'kind' in part)
  if (failed !== undefined) return failed
  return mergeParts(read.flatMap((part) => ('kind' in part ? [] : [part])))
}

/** From the first of its repositories that has it. */
async function readPart({ platform, digest, repositories }: PushedPart, options: PartOptions): Promise<ReadPart> {
  const { client, signal } = options
  const names = [...new Set(repositories.map(repositoryOf))]
  let refusal: RegistryError | undefined
  for (const name of names) {
    try {
      const root = await client.fetchManifest(`${name}@${digest}`, { signal })
      const { manifest } = root
      if (manifest.kind === 'index') return { platform, root }
      const config = await client.fetchConfig(name, manifest.config.digest, { signal })
      return { platform, root, configPlatform: config.platform }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RegistryError)) throw error
      if (error.kind !== 'not-found') refusal ??= error
    }
  }
  if (refusal === undefined) return { kind: 'gone', platform, missing: names }
  return { kind: 'unknown', platform, problem: { message: refusal.message, mend: refusal.mend } }
}
