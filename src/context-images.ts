/**
 * Configurations of the images that named contexts stand for (`docker-image://`, `oci-layout://`), where a stage is based on one:
 * BuildKit begins with their variables and carries out their ONBUILD instructions, as of any base image. Asks registries.
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go
 */
import { resolve } from 'node:path'
import { targetProblem } from './build/bake-targets.ts'
import { sentence, type Problem } from './errors.ts'
import { stagesOf } from './graph/reachability.ts'
import { lookUpProblem } from './image-catalog.ts'
import type { ImageQuestions } from './images/image-lookups.ts'
import { isEmptyImage, parseImageSource, readImageSource } from './images/image-source.ts'
import type { ImageConfig } from './images/manifest.ts'
import { readOciConfig, resolveOciLayout } from './images/oci-layout.ts'
import { shown } from './input-lists.ts'
import type { PartDraft } from './part-planning.ts'
import { readsOf } from './plan/stage-print.ts'
import { contextValue } from './project.ts'

export interface ContextImages {
  /** Of a part's context for a platform; undefined where it is no image, or is not known. */
  readonly of: (part: number, context: string, platform: string) => ImageConfig | undefined
  /** Whether a part's context is an image, or may be one: another target's. Others set nothing. */
  readonly isImage: (part: number, context: string) => boolean
  /** Of each part, contexts whose configurations could not be had, and why. */
  readonly unread: readonly ReadonlyMap<string, Problem>[]
}

interface Options {
  readonly client: ImageQuestions
  /** What relative paths of layouts count from. */
  readonly workspace: string
  readonly signal: AbortSignal
}

/** Looks up what stages are based on. Rejects only when the signal is aborted. */
export async function lookUpContextImages(drafts: readonly PartDraft[], options: Options): Promise<ContextImages> {
  const looked = new Map<string, Promise<Looked>>()
  const configs = new Map<string, ImageConfig>()
  const unread = drafts.map(() => new Map<string, Problem>())
  await Promise.all(
    drafts.flatMap((draft, part) =>
      wantedOf(draft).map(async ({ context, value, platform }) => {
        const key = JSON.stringify([value, platform])
        const asked = looked.get(key) ?? configOf(value, platform, options)
        looked.set(key, asked)
        const found = await asked
        if (found.kind === 'failed') unread[part]?.set(context, found.problem)
        else configs.set(keyOf(part, context, platform), found.config)
      }),
    ),
  )
  return {
    of: (part, context, platform) => configs.get(keyOf(part, context, platform)),
    isImage: (index, context) => {
      const part = drafts[index]?.part
      const value = part === undefined ? '' : contextValue(part, context)
      return /^(?:docker-image|oci-layout|target):/.test(value) && !isEmptyImage(value)
    },
    unread,
  }
}

function keyOf(part: number, context: string, platform: string): string {
  return JSON.stringify([part, context, platform])
}

/** Contexts that are images and that stages are based on. */
function wantedOf(draft: PartDraft): readonly {
  readonly context: string
  readonly value: string
  readonly platform: string
}[] {
  const stages = draft.resolutions.flatMap(({ graph }) => graph?.stages ?? [])
  return stages.flatMap(({ from, platform }) => {
    if (from.kind !== 'context') return []
    const { context } = from
    const value = contextValue(draft.part, context)
    return /^(?:docker-image|oci-layout):/.test(value) && !isEmptyImage(value) ? [{ context, value, platform }] : []
  })
}

/** Contexts whose image has no image's name. BuildKit reads those that a needed stage uses, and no other. */
export function invalidContextImages({
  part,
  graph,
  targets,
}: PartDraft): Pick<PartDraft, 'problems' | 'targetProblems'> {
  const contextsOf = (stage: number): ReadonlySet<string | undefined> => {
    const needed = new Set(stagesOf(graph, stage))
    return new Set(readsOf(graph.stages.filter(({ index }) => needed.has(index))).map(({ context }) => context))
  }
  const found = part.inputs.buildContexts.flatMap(({ key, value }) => {
    const fault = value.startsWith('docker-image://') ? readImageSource(value) : undefined
    if (typeof fault !== 'string') return []
    const target = targets.find(({ stage }) => contextsOf(stage).has(key))
    if (target === undefined) return []
    return [
      { target: target.name, said: `\`${shown(`${key}=${value}`)}\` is not an image reference: ${sentence(fault)}` },
    ]
  })
  const mend = 'Write `docker-image://registry/name:tag`, in lower case.'
  return part.wanted === undefined
    ? {
        problems: found.map(({ said }) => ({ input: 'build-contexts', message: `\`build-contexts\`: ${said}`, mend })),
        targetProblems: [],
      }
    : {
        problems: [],
        targetProblems: found.map(({ target, said }) => targetProblem(target, `: its context ${said}`, mend)),
      }
}

type Looked =
  { readonly kind: 'found'; readonly config: ImageConfig } | { readonly kind: 'failed'; readonly problem: Problem }

async function configOf(value: string, platform: string, { client, workspace, signal }: Options): Promise<Looked> {
  try {
    const source = parseImageSource(value)
    if (source.kind === 'registry') {
      const { configDigest } = await client.resolveImage(source.ref, { platform, signal })
      return { kind: 'found', config: await client.fetchConfig(source.ref, configDigest, { signal }) }
    }
    const path = resolve(workspace, source.path)
    const { configDigest } = await resolveOciLayout({ ...source, path }, { platform })
    return { kind: 'found', config: await readOciConfig(path, configDigest) }
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'failed', problem: lookUpProblem(value, error) }
  }
}
