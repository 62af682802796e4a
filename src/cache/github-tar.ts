/**
 * The `tar` that `@actions/cache` finds. The toolkit unpacks with `-P`, by which an archive may write anywhere: absolute
 * names, `..`, a file through a symbolic link that came before it. Here an archive is unpacked without it, into a new
 * folder beside the archive; what is not a plain file there is refused afterwards (`entry-files.ts`).
 * https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/tar.ts
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findProgram } from '../process.ts'

/** The folder, beside the archive, that it is unpacked into. */
export const UNPACKED = 'unpacked'

/** macOS may have GNU's tar by the second name, and the toolkit prefers it. */
const NAMES = ['tar', 'gtar']

/** A file may not grow beyond this, whatever the archive says: 1 GiB, and 64 bytes for each byte of the archive. */
const limit = '$(( (1 << 21) + $(wc -c < "$archive") / 8 ))'

function script(tar: string): string {
  return `#!/bin/sh
# Packs as it is told; unpacks only as @actions/cache asks for it, without -P and into a folder of its own.
tar=${quote(tar)}
case "$1" in
--posix|--version) exec "$tar" "$@" ;;
-xf) ;;
*) echo "tar: refused: $*" >&2; exit 64 ;;
esac
archive=$2
if [ "$3" != -P ] || [ "$4" != -C ]; then echo "tar: refused: $*" >&2; exit 64; fi
shift 5
mkdir "\${archive%/*}/${UNPACKED}" && ulimit -f "${limit}" || exit 1
exec "$tar" -xf "$archive" --no-same-owner --no-same-permissions -C "\${archive%/*}/${UNPACKED}" "$@"
`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** With threads it takes 20 MB more, and no less time: what it packs is compressed already. */
function zstdScript(zstd: string): string {
  return `#!/bin/sh\nexec ${quote(zstd)} --single-thread "$@"\n`
}

/**
 * Writes the shim for each `tar` on a PATH into a folder, and one for the `zstdmt` that the toolkit packs with.
 * @returns whether there is a `tar`.
 */
export async function writeTarShims(folder: string, path: string): Promise<boolean> {
  await mkdir(folder, { recursive: true })
  let found = false
  for (const name of NAMES) {
    const tar = findProgram(name, path)
    if (tar === undefined) continue
    await writeFile(join(folder, name), script(tar), { mode: 0o755 })
    found = true
  }
  const zstd = findProgram('zstd', path)
  if (zstd !== undefined) await writeFile(join(folder, 'zstdmt'), zstdScript(zstd), { mode: 0o755 })
  return found
}
