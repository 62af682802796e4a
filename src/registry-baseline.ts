/** Sizes of images that a registry keeps, to compare with: what is transferred, and nothing of what is in them. */
import type { Problem } from './errors.ts'
import { publishedImage } from './image-documents.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { sideBySide } from './images/side-by-side.ts'
import type { SizeRecord } from './measure/size-record.ts'
import { measureImage } from './measure/sizes.ts'
import type { Planned } from './planning.ts'
import type { Project } from './project.ts'

const CONCURRENCY = 8
const SHORT = 7

/**
 * Where tags name the commit that is built, the tags that the build of another commit had, by target.
 * @param commits.sha that is built (GITHUB_SHA), in full
 */
export function shippedTags(
  { targets, tagsOf }: Pick<Planned, 'targets' | 'tagsOf'>,
  { sha, wanted }: { readonly sha: string; readonly wanted: string },
): ReadonlyMap<string, string> {
  if (!/^[0-9a-f]{40,64}$/.test(sha) || !/^[0-9a-f]{40,64}$/.test(wanted)) return new Map()
  const tags = targets.flatMap(({ name }): readonly (readonly [string, string])[] => {
    const whole = (tagsOf.get(name) ?? []).find((tag) => tagPart(tag).includes(sha))
    if (whole !== undefined) return [[name, withTag(whole, (tag) => tag.replace(sha, wanted))]]
    const short = (tagsOf.get(name) ?? []).find((tag) => tagPart(tag).includes(sha.slice(0, SHORT)))
    if (short === undefined) return []
    return [[name, withTag(short, (tag) => tag.replace(sha.slice(0, SHORT), wanted.slice(0, SHORT)))]]
  })
  return new Map(tags)
}

function tagPart(ref: string): string {
  return /:([^/:]*)$/.exec(ref)?.[1] ?? ''
}

function withTag(ref: string, change: (tag: string) => string): string {
  return ref.replace(/[^/:]*$/, change)
}

/** The records of the images that are there; why one is not. Never rejects. */
export async function registryRecords(
  images: ReadonlyMap<string, string>,
  {
    project,
    registry,
    signal,
    wanted,
  }: {
    readonly project: Project
    readonly registry: RegistryClient
    readonly signal: AbortSignal
    readonly wanted: string | undefined
  },
): Promise<{ readonly records: readonly SizeRecord[]; readonly problem: Problem | undefined }> {
  const problems: Problem[] = []
  const records = await sideBySide(
    [...images],
    CONCURRENCY,
    async ([target, image]): Promise<SizeRecord | undefined> => {
      try {
        const { digest, manifest } = await registry.fetchManifest(image, { signal })
        const documents = publishedImage(image, digest, { client: registry, signal })
        const { platforms } = await measureImage(digest, {
          manifest: async (of) => (of === digest ? manifest : await documents.manifest(of)),
          config: documents.config,
          baseDiffIds: undefined,
          unpackedOf: () => Promise.resolve(undefined),
        })
        return {
          ...{
            version: 1,
            id: project.id,
            target,
            file: project.dockerfileName,
            status: 'built',
            tags: [image],
            digest,
          },
          ...{
            commit: wanted,
            ref: undefined,
            createdAt: new Date(0).toISOString(),
            run: undefined,
            line: undefined,
            platforms,
          },
        }
      } catch (error) {
        problems.push({ message: error instanceof Error ? error.message : String(error) })
        return undefined
      }
    },
  )
  return { records: records.filter((record) => record !== undefined), problem: problems[0] }
}
