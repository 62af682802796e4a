/** What an image holds, as text that hangs on its content alone: not on times, compression or where it is kept. */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { runProcess } from '../../src/process.ts'

interface Descriptor {
  readonly digest: string
  readonly mediaType?: string
  readonly platform?: { readonly os?: string }
}

interface Document {
  readonly manifests?: readonly Descriptor[]
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
}

/** Reads a manifest or blob. */
type Read = (descriptor: Descriptor) => Promise<Buffer>

/** Of the image in an OCI layout: its configuration, its steps, and the layers' entries and bytes. */
export async function contentOf(layout: string): Promise<string> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as Document
  return await contentBelow(index, async ({ digest }) => await readFile(join(layout, 'blobs', ...digest.split(':'))))
}

/** Of an image in a registry without login. @param reference `HOST/NAME:TAG` */
export async function contentOfPushed(reference: string): Promise<string> {
  const [, host = '', name = '', tag = ''] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? []
  const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ')
  const get = async (path: string): Promise<Buffer> => {
    const answer = await fetch(`http://${host}/v2/${name}/${path}`, { headers: { accept } })
    if (!answer.ok) throw new Error(`${reference} (${path}): ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }
  const root = JSON.parse((await get(`manifests/${tag}`)).toString()) as Document
  return await contentBelow(root, async ({ digest, mediaType }) => {
    return await get(`${/(?:index|manifest)\.v1\+json$/.test(mediaType ?? '') ? 'manifests' : 'blobs'}/${digest}`)
  })
}

/** Of an image that the engine has. */
export async function contentOfLoaded(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'image-content-'))
  try {
    const { code, stderr } = await runProcess('sh', ['-c', 'docker save "$0" | tar -xf - -C "$1"', name, folder])
    if (code !== 0) throw new Error(`${name} cannot be saved: ${stderr}`)
    return await contentOf(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function contentBelow(document: Document, read: Read): Promise<string> {
  // Attestations are for the platform `unknown/unknown`.
  const next = document.manifests?.find(({ platform }) => platform?.os !== 'unknown')
  if (next !== undefined) return await contentBelow(JSON.parse((await read(next)).toString()) as Document, read)
  if (document.config === undefined) throw new Error(`no image: ${JSON.stringify(document)}`)
  const config = JSON.parse((await read(document.config)).toString()) as {
    readonly config: unknown
    readonly history: readonly { readonly created_by?: string }[]
  }
  const layers = await Promise.all((document.layers ?? []).map(async (layer) => layerContent(await read(layer))))
  const steps = config.history.map((entry) => entry.created_by ?? '')
  return [JSON.stringify(config.config), ...steps, ...layers].join('\n')
}

function layerContent(layer: Buffer): string {
  const tar = layer[0] === 0x1f && layer[1] === 0x8b ? gunzipSync(layer) : layer
  const hash = createHash('sha256')
  const names: string[] = []
  for (let at = 0; at + 512 <= tar.length;) {
    const field = (from: number, to: number): string => tar.toString('latin1', at + from, at + to).replace(/\0.*$/s, '')
    const name = field(0, 100)
    if (name === '') break
    const size = parseInt(field(124, 136), 8) || 0
    const type = field(156, 157)
    // Extended headers hold times, which differ.
    if (type !== 'x') {
      names.push(`${name}:${field(100, 107)}:${type}:${size}:${field(157, 257)}`)
      hash.update(tar.subarray(at + 512, at + 512 + size))
    }
    at += 512 + Math.ceil(size / 512) * 512
  }
  return `${names.join(' ')} ${hash.digest('hex').slice(0, 16)}`
}
