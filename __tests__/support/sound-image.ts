/**
 * What a build left in an OCI layout, as data that can be compared: configuration, layers, annotations and attestations,
 * without what differs between two builds of the same (times, ids, revisions).
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { list, parseJson } from '../../src/json-fields.ts'
import { asRecord } from '../../src/build/json.ts'

export interface BuiltImage {
  readonly config: string
  readonly layers: string
  readonly annotations: string
  readonly attestations: string
}

type Json = Readonly<Record<string, unknown>>

export async function readImage(layout: string): Promise<BuiltImage> {
  const read = async (digest: unknown): Promise<Json> =>
    asRecord(parseJson(await readFile(join(layout, 'blobs', String(digest).replace(':', '/')), 'utf8'))) ?? {}
  const top = asRecord(parseJson(await readFile(join(layout, 'index.json'), 'utf8'))) ?? {}
  const parts = { config: [] as unknown[], layers: [] as unknown[], annotations: [] as unknown[] }
  const attestations: unknown[] = []
  const visit = async (descriptor: Json): Promise<void> => {
    const document = await read(descriptor['digest'])
    const { annotations = {} } = descriptor as { annotations?: Json }
    const isAttestation = annotations['vnd.docker.reference.type'] === 'attestation-manifest'
    if (!isAttestation) parts.annotations.push([document['annotations'] ?? {}, descriptor['platform'] ?? {}])
    for (const manifest of records(document['manifests'])) {
      const isOurs = asRecord(manifest['annotations'])?.['vnd.docker.reference.type'] === undefined
      if (isOurs) parts.annotations.push(manifest['annotations'] ?? {})
      await visit(manifest)
    }
    const layers = records(document['layers'])
    if (isAttestation)
      for (const layer of layers) attestations.push([layer['annotations'], await read(layer['digest'])])
    else if (document['config'] !== undefined) {
      parts.layers.push(layers.map(({ digest, mediaType }) => [digest, mediaType]))
      parts.config.push(await read(asRecord(document['config'])?.['digest']))
    }
  }
  for (const manifest of records(top['manifests'])) await visit(manifest)
  const text = (value: unknown): string => JSON.stringify(stable(value), undefined, 1)
  return {
    config: text(parts.config),
    layers: text(parts.layers),
    annotations: text(parts.annotations),
    attestations: text(attestations),
  }
}

const VOLATILE = new Set([
  ...['created', 'buildInvocationID', 'buildStartedOn', 'buildFinishedOn', 'subject', 'invocationId'],
  ...['vcs:revision', 'vcs:source', 'vcs:localdir:context', 'vcs:localdir:dockerfile'],
  ...['https://mobyproject.org/buildkit@v1#vcs', 'vcs', 'startedOn', 'finishedOn', 'org.opencontainers.image.created'],
  // Names of operations in one build: a context's has a number of its own in each.
  'digestMapping',
  // Labels that the example calls volatile.
  ...['org.opencontainers.image.revision', 'label:org.opencontainers.image.revision'],
])

/** Without what is volatile, keys in order. */
function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stable)
  const record = asRecord(value)
  if (record === undefined) return value
  const entries = Object.entries(record).filter(([key]) => !VOLATILE.has(key))
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, stable(item)]))
}

function records(value: unknown): readonly Json[] {
  return list(value)
    .map(asRecord)
    .filter((item) => item !== undefined)
}
