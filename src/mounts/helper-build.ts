/**
 * The helper: a build that does nothing but mount the cache mounts, and puts archives into them or makes archives of them.
 * Its root is a folder of this machine with `tar` and `find` in it, so no image is pulled. Pure.
 */
import type { KeptMount } from './mount-uses.ts'

/** What the helper does to one mount. */
export interface HelperMount {
  readonly mount: KeptMount
  /** Its name within the helper: a number. */
  readonly name: string
}

export interface HelperOptions {
  /** Of this run alone: lower-case letters and digits. No earlier result stands in for it, and its records are found by it. */
  readonly token: string
  readonly mounts: readonly HelperMount[]
}

/** The named context that the helper's root is. */
export function helperContext(token: string): string {
  return `stage-build-mounts-${token}`
}

/** The helper's Dockerfile. Ids are plain (`mount-uses.ts`), so that nothing in them is read as anything else. */
export function helperDockerfile(kind: 'put-in' | 'take-out', { token, mounts }: HelperOptions): string {
  const flags = mounts.map(({ mount, name }) => `--mount=${mountFlag(mount, name)}`)
  const command = JSON.stringify(['/bin/sh', `/${kind}.sh`, token])
  return [`FROM ${helperContext(token)}`, `RUN ${[...flags, command].join(' ')}`, ''].join('\n')
}

/**
 * Locked: it waits for whoever has the mount, instead of making a second one.
 * https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/mounts/mount.go (getRefCacheDirNoCache)
 */
function mountFlag({ id, permissions }: KeptMount, name: string): string {
  const owner =
    permissions === undefined
      ? []
      : [`uid=${permissions.uid}`, `gid=${permissions.gid}`, `mode=${permissions.mode.toString(8).padStart(4, '0')}`]
  return ['type=cache', `id=${id}`, `target=/m/${name}`, 'sharing=locked', ...owner].join(',')
}

/**
 * Unpacks `/in/NAME.tar` into each mount. What is newer there stays. `-G` brings the times of last use along; it removes
 * only what an archive made with it says, and none is.
 */
export const PUT_IN = `
failed=
for archive in /in/*.tar; do
  name=\${archive##*/}
  tar -x -G -p --keep-newer-files --warning=no-ignore-newer --numeric-owner -f "$archive" -C "/m/\${name%.tar}" ||
    failed="$failed \${name%.tar}"
done
test -z "$failed"
`

/** Words of a list's line: type, bytes, time of change, path. */
export const LIST_FORMAT = '%y %s %T@ %P\\0'

/** A file in each mount that shows whether reading is noted; it goes at once. */
const PROBE = '.stage-build-probe'

/** What of a mount is packed. */
export interface PackedMount {
  readonly name: string
  /** Seconds since the epoch: a file that was neither used nor made since is left out. */
  readonly usedSince: number
  readonly madeSince: number
}

/**
 * Packs each mount into `/out/NAME.tar`, beside a list of what is in it. Where the file system does not note when a file is
 * read, nothing is left out. An archive that would be larger than `maxBytes` is not made; making one is no use of files.
 */
export function takeOutScript(mounts: readonly PackedMount[], maxBytes: number): string {
  return `
take() {
  cd "/m/$1" || exit 1
  read -r line < ${PROBE}
  if test -n "$(find ${PROBE} -anewer ${PROBE})"; then
    set -- "$1" delete=ctime ! -type f -o -newerat "@$2" -o -newerct "@$3"
  else
    set -- "$1" delete=ctime,delete=atime -true
  fi
  rm -f ${PROBE}
  name=$1
  times=$2
  shift 2
  find . '(' "$@" ')' -printf '${LIST_FORMAT}' > "/out/$name.list" || exit 1
  (
    ulimit -f ${Math.ceil(maxBytes / 512)}
    find . '(' "$@" ')' -print0 |
      tar -c --null --no-recursion --numeric-owner --atime-preserve=system --format=pax --pax-option="$times" \
        -f "/out/$name.tar" -T -
  ) || test $? -eq 1 || rm -f "/out/$name.tar"
}
${mounts.map(({ name }) => `echo probe > /m/${name}/${PROBE} || exit 1`).join('\n')}
sleep 0.02
${mounts.map(({ name, usedSince, madeSince }) => `take ${name} ${Math.floor(usedSince)} ${madeSince}`).join('\n')}
`
}
