/**
 * Further tags of an image in its own repository: its manifest is read once and put under each name. `imagetools create`
 * would do the same with dozens of requests a tag (it reads every child manifest, and each of those counts as a pull on Docker
 * Hub) and 0.2–0.3 s of a processor: ten targets took 1.3–1.8 s that way, and take 0.1 s this way (2 cores, registry beside).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Problem } from '../errors.ts'
import type { RawManifest } from '../images/manifest-writer.ts'
import type { RegistryClient } from '../images/registry-client.ts'
import { RegistryError } from '../images/registry-error.ts'
import type { RetagAction } from '../images/retag.ts'
import { sideBySide } from '../images/side-by-side.ts'
import { writeFailure, wrongTag } from './retag-failure.ts'

export interface InPlaceOptions {
  readonly client: Pick<RegistryClient, 'fetchManifest' | 'findDigest' | 'writeTag'>
  readonly signal?: AbortSignal | undefined
}

/** Tags of one image at a time. */
const CONCURRENCY = 4
/** Before a tag that does not stand for the image yet is asked for again, ms: registries in several places may be late. */
const WAITS = [500, 2_000]

/**
 * Carries out an action whose source is in the tags' own repository. What is wrong with each tag that does not stand for the image
 * afterwards.
 * @throws the signal's reason when it is aborted
 */
export async function retagInPlace(
  { source, tags }: RetagAction,
  options: InPlaceOptions,
): Promise<ReadonlyMap<string, Problem>> {
  const { client, signal } = options
  let manifest: RawManifest
  try {
    manifest = await client.fetchManifest(source, { signal })
  } catch (error) {
    const failure = registryError(error, signal)
    return new Map(tags.map((tag) => [tag, writeFailure(tag, failure)]))
  }
  const problems = await sideBySide(tags, CONCURRENCY, async (tag) => {
    const problem = await writeOne(tag, manifest, options)
    return problem === undefined ? [] : [[tag, problem] as const]
  })
  return new Map(problems.flat())
}

async function writeOne(
  tag: string,
  manifest: RawManifest,
  { client, signal }: InPlaceOptions,
): Promise<Problem | undefined> {
  const { digest } = manifest
  try {
    let found = await client.writeTag(tag, manifest, { signal })
    for (const wait of WAITS) {
      if (found === digest) return undefined
      await delay(wait, undefined, signal === undefined ? {} : { signal })
      found = await client.findDigest(tag, { signal })
    }
    return found === digest ? undefined : wrongTag(tag, { digest, found })
  } catch (error) {
    const failure = registryError(error, signal)
    // Another run may have written the same just before, to a registry that refuses it the second time.
    const isRight = wasAnswered(failure) && (await standsFor(tag, digest, { client, signal }))
    return isRight ? undefined : writeFailure(tag, failure)
  }
}

function wasAnswered({ kind }: RegistryError): boolean {
  return kind !== 'unreachable' && kind !== 'rate-limited'
}

async function standsFor(tag: string, digest: string, { client, signal }: InPlaceOptions): Promise<boolean> {
  try {
    return (await client.findDigest(tag, { signal })) === digest
  } catch (error) {
    registryError(error, signal)
    return false
  }
}

/** @throws what is no registry's failure; the signal's reason when it is aborted */
function registryError(error: unknown, signal: AbortSignal | undefined): RegistryError {
  signal?.throwIfAborted()
  if (!(error instanceof RegistryError)) throw error
  return error
}
