/** Sizes and records for tests, as runs make them, from what a test wants to tell. */
import { createHash } from 'node:crypto'
import type { SizeRecord } from '../../src/measure/size-record.ts'
import type { LayerSize, PlatformSizes } from '../../src/measure/sizes.ts'

/** `sha256:…` of a text. */
export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

export interface ToldLayer {
  /** Equal content, equal diff id; default: the instruction. */
  readonly content?: string
  readonly instruction?: string
  /** Bytes to transfer; unpacked there are three times as many where not told. */
  readonly size: number
  readonly unpacked?: number | undefined
  readonly inherited?: boolean
  readonly line?: number
  readonly compression?: LayerSize['compression']
}

export type ToldSizes = Partial<Omit<PlatformSizes, 'layers'>> & { readonly layers: readonly ToldLayer[] }

/** Sizes of an image of these layers, summed as measuring sums them. */
export function sizesOf({ layers: told, ...rest }: ToldSizes): PlatformSizes {
  const layers = told.map((layer): LayerSize => {
    const { instruction = `RUN ${layer.content ?? ''}`, content = instruction, compression = 'gzip' } = layer
    return {
      digest: digestOf(`${compression} ${content}`),
      diffId: digestOf(content),
      size: layer.size,
      unpacked: 'unpacked' in layer ? layer.unpacked : 3 * layer.size,
      own: layer.inherited !== true,
      createdBy: `${instruction} # buildkit`,
      compression,
      ...(layer.line === undefined ? {} : { source: { file: 'Dockerfile', line: layer.line, text: instruction } }),
    }
  })
  const own = layers.filter((layer) => layer.own)
  const inherited = layers.filter((layer) => !layer.own)
  const sum = (chosen: readonly LayerSize[], key: 'size' | 'unpacked'): number | undefined =>
    chosen.reduce<number | undefined>((total, layer) => {
      const size = layer[key]
      return total === undefined || size === undefined ? undefined : total + size
    }, 0)
  const split = (key: 'size' | 'unpacked'): PlatformSizes['transfer'] => ({
    total: sum(layers, key),
    own: sum(own, key),
    inherited: sum(inherited, key),
  })
  return {
    platform: 'linux/amd64',
    digest: digestOf(JSON.stringify(layers)),
    configDigest: digestOf(`config ${JSON.stringify(layers)}`),
    transfer: split('size'),
    unpacked: split('unpacked'),
    layers,
    unknownReason: undefined,
    ...rest,
  }
}

/** A record of a target that was built, with what is told of it. */
export function recordOf(told: Partial<SizeRecord> = {}): SizeRecord {
  return {
    version: 1,
    id: 'Dockerfile',
    target: 'prod',
    file: 'Dockerfile',
    commit: 'c0ffee1'.padEnd(40, '0'),
    ref: 'refs/heads/main',
    createdAt: '2026-11-21T12:00:00.000Z',
    run: { id: '1843', attempt: 1, url: 'https://github.com/o/r/actions/runs/1843' },
    line: 7,
    status: 'built',
    tags: [],
    platforms: [sizesOf({ layers: [{ size: 10_000_000 }] })],
    ...told,
  }
}
