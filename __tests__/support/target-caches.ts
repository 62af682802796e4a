/** Caches as BuildKit exports them, made up: by hand for a case, or arbitrary for properties. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { CacheConfig, CacheInput, CacheLayer, CacheRecord, TargetCache } from '../../src/cache/cache-manifest.ts'

export function digest(name: string): string {
  return `sha256:${createHash('sha256').update(name).digest('hex')}`
}

export const CREATED_AT = '2026-11-20T10:00:00.123456789Z'

/** A cache whose every blob has a descriptor; blobs of one name have one size. */
export function cacheOf(config: CacheConfig, sizeOf: (digest: string) => number = () => 100): TargetCache {
  const blobs = [...new Set(config.layers.map(({ blob }) => blob))]
  return {
    layers: blobs.map((blob) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: blob,
      size: sizeOf(blob),
      annotations: { 'buildkit/createdat': CREATED_AT },
    })),
    config,
  }
}

/** A target built in steps, each on the one before: `[step, blob, bytes]`. */
export function chainCache(steps: readonly (readonly [step: string, blob: string, bytes: number])[]): TargetCache {
  const sizes = new Map(steps.map(([, blob, bytes]) => [digest(blob), bytes]))
  const config = {
    layers: steps.map(([, blob], index) => ({ blob: digest(blob), parent: index - 1 })),
    records: [
      { digest: digest('source') },
      ...steps.map(([step], index) => ({
        layers: [{ layer: index, createdAt: CREATED_AT }],
        digest: digest(step),
        inputs: [[{ link: index }]],
      })),
    ],
  }
  return cacheOf(config, (blob) => sizes.get(blob) ?? 0)
}

const name = (count: number): fc.Arbitrary<string> => fc.nat(count - 1).map((index) => digest(String(index)))
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

/**
 * Any cache without circles. Few names, so that blobs and steps recur.
 * @param emptyInputs whether inputs without a link occur, as BuildKit leaves them behind
 */
export function anyCache({ emptyInputs }: { readonly emptyInputs: boolean }): fc.Arbitrary<TargetCache> {
  return fc
    .record({ layers: fc.nat(10), records: fc.nat(10), isReversed: fc.boolean() })
    .chain(({ layers, records, isReversed }) =>
      fc
        .record({
          layers: fc.tuple(...Array.from({ length: layers }, (_, index) => layerBelow(index))),
          records: fc.tuple(
            ...Array.from({ length: records }, (_, index) => recordAfter(index, { layers, emptyInputs })),
          ),
        })
        .map((config) => cacheOf(isReversed ? reversed(config) : config)),
    )
}

function layerBelow(index: number): fc.Arbitrary<CacheLayer> {
  return fc
    .record({ blob: name(6), parent: fc.integer({ min: -1, max: index - 1 }), mediaType: maybe(fc.constant('a/b')) })
    .map(({ blob, parent, mediaType }) => ({ blob, parent, ...(mediaType && { annotations: { mediaType } }) }))
}

function recordAfter(
  index: number,
  { layers, emptyInputs }: { readonly layers: number; readonly emptyInputs: boolean },
): fc.Arbitrary<CacheRecord> {
  const link: fc.Arbitrary<CacheInput> = fc
    .record({ selector: maybe(fc.constantFrom('/a', '/b')), link: fc.nat(Math.max(0, index - 1)) })
    .map(({ selector, link: to }) => ({ ...(selector && { selector }), link: to }))
  const inputs = fc.array(fc.array(link, { minLength: emptyInputs ? 0 : 1, maxLength: 3 }), { maxLength: 2 })
  const layer = fc.nat(Math.max(0, layers - 1))
  return fc
    .record({
      layers: fc.array(layer, { maxLength: layers === 0 ? 0 : 2 }),
      chain: fc.array(layer, { maxLength: layers === 0 ? 0 : 2 }),
      step: name(6),
      inputs: index === 0 ? fc.constant([]) : inputs,
    })
    .map(({ layers: results, chain, step, inputs: from }) => ({
      ...(results.length > 0 && { layers: results.map((result) => ({ layer: result, createdAt: CREATED_AT })) }),
      ...(chain.length > 0 && { chains: [{ layers: chain, createdAt: CREATED_AT }] }),
      digest: step,
      ...(from.length > 0 && { inputs: from }),
    }))
}

/** The same, numbered from the other end. */
export function reversed({ layers, records }: CacheConfig): CacheConfig {
  const layerAt = (index: number): number => (index < 0 ? -1 : layers.length - 1 - index)
  return {
    layers: layers.map((layer) => ({ ...layer, parent: layerAt(layer.parent) })).toReversed(),
    records: records
      .map((record) => ({
        ...record,
        ...(record.layers && { layers: record.layers.map((result) => ({ ...result, layer: layerAt(result.layer) })) }),
        ...(record.chains && {
          chains: record.chains.map((chain) => ({ ...chain, layers: chain.layers.map(layerAt) })),
        }),
        ...(record.inputs && {
          inputs: record.inputs.map((input) =>
            input.map((from) => ({ ...from, link: records.length - 1 - from.link })).toReversed(),
          ),
        }),
      }))
      .toReversed(),
  }
}
