/** What a registry keeps of an image, read without the code under test. */
import { createHash } from 'node:crypto'

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
  readonly platform?: { readonly os: string; readonly architecture: string }
}

export interface PublishedManifest {
  readonly digest: string
  /** `linux/amd64`, as the configuration says. */
  readonly platform: string
  readonly annotations: Readonly<Record<string, string>>
  readonly layers: readonly Descriptor[]
  readonly configDigest: string
  readonly config: {
    readonly os: string
    readonly architecture: string
    readonly config?: { readonly Labels?: Readonly<Record<string, string>>; readonly Env?: readonly string[] }
  }
}

export interface Published {
  /** Of what the tag names: an index or a manifest. */
  readonly digest: string
  readonly annotations: Readonly<Record<string, string>>
  /** Attestation manifests are told apart. */
  readonly manifests: readonly PublishedManifest[]
  /** In-toto predicate types of the attestations. */
  readonly attestations: readonly string[]
  blob(digest: string): Promise<Buffer>
}

interface Document {
  readonly annotations?: Readonly<Record<string, string>>
  readonly manifests?: readonly Descriptor[]
  readonly layers?: readonly Descriptor[]
  readonly config?: Descriptor
}

const OCI = ['image.index.v1', 'image.manifest.v1'].map((type) => `application/vnd.oci.${type}+json`)
const DOCKER = ['list.v2', 'v2'].map((type) => `application/vnd.docker.distribution.manifest.${type}+json`)

/** Reads `HOST/NAME:TAG`. @throws when it is not there. */
export async function published(reference: string, authorization?: string): Promise<Published> {
  const [, host = '', name = '', tag = ''] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? []
  const get = async (path: string): Promise<Buffer> => {
    const answer = await fetch(`http://${host}/v2/${name}/${path}`, {
      headers: {
        accept: [...OCI, ...DOCKER].join(', '),
        ...(authorization === undefined ? {} : { authorization }),
      },
    })
    if (!answer.ok) throw new Error(`${reference}: ${path}: ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }
  const blob = async (digest: string): Promise<Buffer> => await get(`blobs/${digest}`)
  const root = await get(`manifests/${tag}`)
  const top = JSON.parse(root.toString()) as Document
  const digest = `sha256:${createHash('sha256').update(root).digest('hex')}`
  const isAttestation = (entry: Descriptor): boolean =>
    entry.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
  const entries = top.manifests ?? []
  const read = async (wanted: string): Promise<PublishedManifest> => {
    const document = wanted === digest ? top : (JSON.parse((await get(`manifests/${wanted}`)).toString()) as Document)
    const configDigest = document.config?.digest ?? ''
    const config = JSON.parse((await blob(configDigest)).toString()) as PublishedManifest['config']
    return {
      digest: wanted,
      platform: `${config.os}/${config.architecture}`,
      annotations: document.annotations ?? {},
      layers: document.layers ?? [],
      configDigest,
      config,
    }
  }
  const images = entries.length === 0 ? [digest] : entries.filter((e) => !isAttestation(e)).map((e) => e.digest)
  const attestations = await Promise.all(
    entries
      .filter(isAttestation)
      .map(async (e) => JSON.parse((await get(`manifests/${e.digest}`)).toString()) as Document),
  )
  return {
    digest,
    annotations: top.annotations ?? {},
    manifests: await Promise.all(images.map(read)),
    attestations: attestations.flatMap(({ layers = [] }) =>
      layers.map(({ annotations }) => annotations?.['in-toto.io/predicate-type'] ?? ''),
    ),
    blob,
  }
}
