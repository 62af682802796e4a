/** Tar archives byte by byte, for what no program would write: hostile sizes, odd types, headers without a body. */

export interface RawEntry {
  readonly path: string
  /** One character; a regular file without. */
  readonly type?: string
  readonly linkPath?: string
  readonly body?: string | Buffer
  /** What the size field holds instead of the body's length. */
  readonly size?: string | Buffer
  /** Write the body although `size` is given. */
  readonly keepSize?: boolean
}

/** The entries as ustar; with the two closing blocks unless told otherwise. */
export function rawTar(entries: readonly RawEntry[], options: { readonly close?: boolean } = {}): Buffer {
  const blocks = entries.flatMap((entry) => {
    const body = typeof entry.body === 'object' ? entry.body : Buffer.from(entry.body ?? '')
    return [header(entry, body.length), body, Buffer.alloc((512 - (body.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(options.close === false ? 0 : 1024)])
}

function header(entry: RawEntry, length: number): Buffer {
  const block = Buffer.alloc(512)
  block.write(entry.path, 0, 100)
  block.write('0000644\0', 100)
  const size = entry.size ?? length.toString(8).padStart(11, '0')
  if (typeof size === 'string') block.write(size, 124, 12)
  else size.copy(block, 124, 0, 12)
  block.write(entry.type ?? '0', 156)
  block.write(entry.linkPath ?? '', 157, 100)
  block.write('ustar\x0000', 257, 'latin1')
  block.fill(0x20, 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** A PAX record with the length that it has. */
export function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + 1
  while (String(length).length + rest !== length) length = String(length).length + rest
  return `${length} ${key}=${value}\n`
}
