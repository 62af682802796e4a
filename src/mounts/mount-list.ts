/** What the helper says of a mount's content: one pass over the list that it wrote beside the archive, held nowhere whole. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export interface MountContent {
  /** Files and links, without directories. */
  readonly files: number
  /** Of the files. */
  readonly bytes: number
  /** Of paths, sizes and times, in whatever order they were listed. */
  readonly digest: string
}

const MODULUS = 1n << 256n

/**
 * Reads a list of entries (`LIST_FORMAT`).
 * @throws Error when it cannot be read
 */
export async function readMountList(path: string): Promise<MountContent> {
  let [files, bytes, sum, rest] = [0, 0, 0n, '']
  for await (const chunk of createReadStream(path, 'latin1')) {
    const entries = `${rest}${String(chunk)}`.split('\0')
    rest = entries.pop() ?? ''
    for (const entry of entries) {
      const [type = '', size = ''] = entry.split(' ', 2)
      // A directory's time changes with every file that comes and goes.
      if (type === 'd') continue
      files++
      if (type === 'f') bytes += Number(size)
      // Directories list their files in any order.
      sum = (sum + BigInt(`0x${createHash('sha256').update(entry, 'latin1').digest('hex')}`)) % MODULUS
    }
  }
  return { files, bytes, digest: `sha256:${sum.toString(16).padStart(64, '0')}` }
}
