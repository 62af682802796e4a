/**
 * Which cache mounts a build uses, and which steps use each. Two mounts of one identity are one on the engine, in
 * whatever stage, for whatever platform. Pure.
 */
import { createHash } from 'node:crypto'
import type { CacheMount, MountPermissions } from '../graph/cache-mounts.ts'
import { stagesOfAll } from '../graph/reachability.ts'
import type { StageGraph } from '../graph/stage-graph.ts'

/** A cache mount that can be reached from outside of the build. */
export interface KeptMount {
  /** Of its identity: what its content is stored under. */
  readonly key: string
  readonly id: string
  readonly permissions: MountPermissions | undefined
  /** The places that use it, in build order. */
  readonly steps: readonly StepPlace[]
  /** Whether a step may write to it. */
  readonly isWritten: boolean
}

export interface StepPlace {
  readonly stage: number
  /** 1-based line of the instruction. */
  readonly line: number
}

export interface LeftMount {
  readonly id: string
  readonly line: number
  /** `content`: it begins with files of a stage or an image. `name`: its id has characters that cannot be passed on. */
  readonly why: 'content' | 'name'
}

export interface MountUses {
  readonly kept: readonly KeptMount[]
  /** Mounts that are not kept between runs. */
  readonly left: readonly LeftMount[]
}

/** More than anybody uses; each is a line of the helper's Dockerfile, and a file. */
const MOST_MOUNTS = 64

/** Ids that mean the same in every Dockerfile: nothing to be expanded, quoted or split. */
const PLAIN = /^[\w@%+=:./~-]{1,400}$/

/**
 * The cache mounts of these targets.
 * @param namespace the build argument `BUILDKIT_CACHE_MOUNT_NS`; empty where it is not given
 */
export function mountUses(graph: StageGraph, targets: readonly number[], namespace: string): MountUses {
  const kept = new Map<string, KeptMount>()
  const left = new Map<string, LeftMount>()
  for (const index of stagesOfAll(graph, targets)) {
    for (const { line, caches } of graph.stages[index]?.steps ?? []) {
      for (const mount of caches) {
        const why = whyLeft(mount)
        const key = mountKey(mount, namespace)
        if (why !== undefined) left.set(mount.id, { id: mount.id, line, why })
        else kept.set(key, withStep(kept.get(key), { key, mount, place: { stage: index, line } }))
      }
    }
  }
  return { kept: [...kept.values()].slice(0, MOST_MOUNTS), left: [...left.values()] }
}

/** Keys of all cache mounts that the Dockerfile names, whatever is built of it. */
export function namedMounts(graph: StageGraph, namespace: string): ReadonlySet<string> {
  const mounts = graph.stages.flatMap(({ steps }) => steps.flatMap(({ caches }) => caches))
  return new Set(mounts.map((mount) => mountKey(mount, namespace)))
}

function mountKey({ id, permissions }: CacheMount, namespace: string): string {
  const owner = permissions === undefined ? [] : [permissions.uid, permissions.gid, permissions.mode]
  return createHash('sha256')
    .update(JSON.stringify([namespace, id, owner]))
    .digest('hex')
    .slice(0, 32)
}

function whyLeft({ id, hasContent }: CacheMount): LeftMount['why'] | undefined {
  if (hasContent) return 'content'
  return PLAIN.test(id) ? undefined : 'name'
}

function withStep(
  known: KeptMount | undefined,
  { key, mount, place }: { readonly key: string; readonly mount: CacheMount; readonly place: StepPlace },
): KeptMount {
  const { id, permissions, readOnly } = mount
  const { steps, isWritten } = known ?? { steps: [], isWritten: false }
  return { key, id, permissions, steps: [...steps, place], isWritten: isWritten || !readOnly }
}
