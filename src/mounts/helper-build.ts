/**
 * The helper: a build that does nothing but mount the cache mounts, and puts archives into them or makes archives of them.
 * Its root is a folder of this machine with `tar` and `find` in it, so no image is pulled. Pure.
 */
import type { LineAddress } from './archive-line.ts'
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
  /** Whether archives go through a line to this machine's loopback; without it the helper has no network at all. */
  readonly hasLine: boolean
}

/** The named context that the helper's root is. */
export function helperContext(token: string): string {
  return `stage-build-mounts-${token}`
}

/** The helper's Dockerfile. Ids are plain (`mount-uses.ts`), so that nothing in them is read as anything else. */
export function helperDockerfile(kind: 'put-in' | 'take-out', { token, mounts, hasLine }: HelperOptions): string {
  const flags = mounts.map(({ mount, name }) => `--mount=${mountFlag(mount, name)}`)
  const command = JSON.stringify([hasLine ? '/bin/bash' : '/bin/sh', `/${kind}.sh`, token])
  return [
    `FROM ${helperContext(token)}`,
    `RUN ${[`--network=${hasLine ? 'host' : 'none'}`, ...flags, command].join(' ')}`,
    '',
  ].join('\n')
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

/** Read and written at once, in blocks of 512 bytes: tar's own 20 are many calls. Each archive is filled up to so many. */
const BLOCKS = 128

/** Opens a line to the process that started the helper, as file 3. In `bash`, which alone can without another program. */
function callScript({ port, question, answer }: LineAddress): string {
  return `
call() {
  exec 3<>/dev/tcp/127.0.0.1/${port} || exit 1
  echo "${question} $1" >&3
  read -r -t 10 said <&3
  test "$said" = ${answer} || exit 1
}
`
}

/**
 * Unpacks the archive of each mount into it: `/in/NAME.tar`, or what comes through the line. What is newer there stays. `-G`
 * brings the times of last use along; it removes only what an archive made with it says, and none is.
 */
export function putInScript(names: readonly string[], line?: LineAddress): string {
  return `${line === undefined ? '' : callScript(line)}
failed=
put() {
  ${line === undefined ? 'exec 3< "/in/$1.tar"' : 'call "$1"'}
  tar -x -b ${BLOCKS} -G -p --keep-newer-files --warning=no-ignore-newer --numeric-owner -f - -C "/m/$1" <&3 || failed="$failed $1"
  exec 3<&-
}
${names.map((name) => `put ${name}`).join('\n')}
test -z "$failed"
`
}

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
 * Packs each mount into `/out/NAME.tar`, or into the line, and then makes `/out/NAME.whole`; beside it a list of what is in it.
 * Where the file system does not note when a file is read, nothing is left out. An archive that would be larger than
 * `maxBytes` is not made; making one is no use of files.
 */
export function takeOutScript(
  mounts: readonly PackedMount[],
  { maxBytes, line }: { readonly maxBytes: number; readonly line?: LineAddress | undefined },
): string {
  return `${line === undefined ? '' : callScript(line)}
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
  ${line === undefined ? 'exec 3> "/out/$name.tar"' : 'call "$name"'}
  {
    find . '(' "$@" ')' -fprintf "/out/$name.list" '${LIST_FORMAT}' -print0 || echo > "/out/$name.unread"
  } | (
    ${line === undefined ? `ulimit -f ${Math.ceil(maxBytes / 512)}` : ':'}
    exec tar -c -b ${BLOCKS} --null --no-recursion --numeric-owner --atime-preserve=system --format=pax --pax-option="$times" \\
      -f - -T - >&3
  )
  if test $? -le 1; then echo > "/out/$name.whole"; else rm -f "/out/$name.tar"; fi
  exec 3>&-
  test ! -e "/out/$name.unread" || exit 1
}
${mounts.map(({ name }) => `echo probe > /m/${name}/${PROBE} || exit 1`).join('\n')}
sleep 0.02
${mounts.map(({ name, usedSince, madeSince }) => `take ${name} ${Math.floor(usedSince)} ${madeSince}`).join('\n')}
`
}
