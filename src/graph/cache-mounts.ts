/**
 * The cache mounts of a RUN, by what BuildKit tells one from another: its id (the target, where it has none), and owner
 * and mode, for which it makes an empty directory that the mount begins with.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert_runmount.go
 * and https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/mounts/mount.go (getRefCacheDir)
 */
import { cleanPath } from '../dockerfile/go-path.ts'
import type { Mount } from '../dockerfile/mount.ts'
import type { State } from './state-list.ts'

/** Owner and mode of an empty mount, as numbers: what is not given is root's, and 0755. */
export interface MountPermissions {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

export interface CacheMount {
  readonly id: string
  /** As written, variables expanded. */
  readonly target: string
  readonly readOnly: boolean
  /** Undefined where neither owner nor mode is given. */
  readonly permissions: MountPermissions | undefined
  /** It begins with the content of a stage or an image, which is part of what it is called by. */
  readonly hasContent: boolean
}

/** @param sources where each mount takes its content from */
export function cacheMountsOf(
  mounts: readonly Mount[],
  sources: readonly (State | undefined)[],
): readonly CacheMount[] {
  return mounts.flatMap((mount, index): readonly CacheMount[] => {
    const { type, id, target, from, readOnly } = mount
    if (type !== 'cache') return []
    // A stage may be called `scratch`.
    const hasContent = typeof sources[index] === 'number' || (from !== '' && from !== 'scratch')
    const permissions = permissionsOf(mount)
    return [{ id: id === '' ? cleanPath(target) : id, target, readOnly, permissions, hasContent }]
  })
}

function permissionsOf({ source, options }: Mount): MountPermissions | undefined {
  const isWhole = cleanPath(`/${source}`) === '/'
  if (!isWhole || !['uid', 'gid', 'mode'].some((key) => options.has(key))) return undefined
  const number = (key: string, base: 8 | 10, otherwise: number): number => {
    const value = options.get(key)
    return value === undefined ? otherwise : Number.parseInt(value, base)
  }
  return { uid: number('uid', 10, 0), gid: number('gid', 10, 0), mode: number('mode', 8, 0o755) }
}
