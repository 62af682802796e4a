/** External images that no registry answers for, where the engine has them. */
import { localImageId, type Docker } from './build/buildx.ts'
import type { ReadyBuilder } from './build/own-builder.ts'
import { sentence, type Problem } from './errors.ts'
import type { CatalogEntry } from './image-catalog.ts'
import { readImageSource } from './images/image-source.ts'
import { distinct } from './json-fields.ts'
import type { Planned } from './planning.ts'

/** Images that no registry answers for may lie in the engine's own store, where only its own driver sees them. */
export async function localImages(
  docker: Docker,
  planned: Planned,
  builder: ReadyBuilder,
): Promise<{
  readonly local: ReadonlySet<string>
  readonly warnings: readonly Problem[]
  readonly unpinned: readonly Problem[]
}> {
  const local = new Set<string>()
  const warnings: Problem[] = []
  const unpinned: Problem[] = []
  for (const { image, source, problem, use } of [...planned.images.entries(), ...contextEntries(planned)]) {
    if (problem === undefined || source.kind !== 'registry') continue
    const id = await localImageId(docker, source.ref)
    if (id !== undefined && builder.driver === 'docker') {
      if (image !== undefined) local.add(image)
    } else if (id !== undefined) {
      warnings.push({
        message: `${source.ref} is in the engine’s own image store, which the ${builder.driver} builder cannot read.`,
        mend: 'Push it to a registry, or map it to an OCI layout: `docker save` it, unpack it and write `NAME=oci-layout://DIRECTORY`.',
        ...use,
      })
    } else if (source.ref.includes('@')) unpinned.push(problem)
    else unpinned.push({ ...problem, message: `${sentence(problem.message)} It is not pinned to a digest.` })
  }
  return { local, warnings, unpinned: distinct(unpinned) }
}

/** Images that no Dockerfile names. */
function contextEntries({ failedContexts }: Planned): readonly Entry[] {
  return failedContexts.flatMap(({ value, problem }) => {
    const source = readImageSource(value)
    return typeof source === 'string' ? [] : [{ image: undefined, source, problem, use: undefined }]
  })
}

type Entry = Pick<CatalogEntry, 'source' | 'problem' | 'use'> & { readonly image: undefined }
