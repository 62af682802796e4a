/**
 * Starts the real distribution registry on a free loopback port, with or without a login (htpasswd). The binary is
 * Debian's docker-registry, made ready by script/images (STAGE_BUILD_REGISTRY_BIN).
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly username: string
  readonly password: string
  /** Where it keeps its blobs, for tests that damage them. */
  readonly directory: string
  stop(): Promise<void>
}

export interface RegistryOptions {
  /** Ask for `username` and `password`. */
  readonly auth?: boolean
}

const USERNAME = 'tester'
const PASSWORD = 'right:horse battery'
/** bcrypt of PASSWORD, cost 4; the registry reads no other kind. */
const HTPASSWD = 'tester:$2y$04$abcdefghijklmnopqrstuuNdZyo1eytH5oNd55QRzwQNjWClJvI7S'

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const binary = process.env['STAGE_BUILD_REGISTRY_BIN']
  if (binary === undefined) throw new Error('STAGE_BUILD_REGISTRY_BIN is not set; run through script/with-engine')
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-registry-'))
  const host = `127.0.0.1:${await freePort()}`
  const lines = [
    'version: 0.1',
    'log: {level: error, accesslog: {disabled: true}}',
    `storage: {filesystem: {rootdirectory: ${directory}/data}, delete: {enabled: true}}`,
    `http: {addr: "${host}", secret: test}`,
  ]
  if (options.auth === true) {
    await writeFile(join(directory, 'htpasswd'), `${HTPASSWD}\n`)
    lines.push(`auth: {htpasswd: {realm: test, path: ${directory}/htpasswd}}`)
  }
  await writeFile(join(directory, 'config.yml'), lines.join('\n'))
  const child = spawn(binary, ['serve', join(directory, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve()
    }),
  )
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
    await rm(directory, { recursive: true, force: true })
  }
  const started = performance.now()
  while (!(await isUp(host))) {
    if (child.exitCode !== null || performance.now() - started > 20_000) {
      await stop()
      throw new Error(`the registry did not start: ${errors}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { host, username: USERNAME, password: PASSWORD, directory, stop, [Symbol.asyncDispose]: stop }
}

/** Authorization header for a registry started with `auth`. */
export function basicAuth(registry: TestRegistry): string {
  return `Basic ${Buffer.from(`${registry.username}:${registry.password}`).toString('base64')}`
}

/** Uploads a blob; gives its digest. */
export async function pushBlob(registry: TestRegistry, repository: string, bytes: Buffer): Promise<string> {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const headers = { authorization: basicAuth(registry) }
  const begun = await fetch(`http://${registry.host}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers })
  const location = new URL(begun.headers.get('location') ?? '', `http://${registry.host}`)
  location.searchParams.set('digest', digest)
  const body = new Uint8Array(bytes)
  const done = await fetch(location, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
    body,
  })
  if (done.status !== 201) throw new Error(`blob upload: ${done.status} ${await done.text()}`)
  return digest
}

/** Uploads a manifest or index under a tag or digest; gives its digest. */
export async function pushManifest(
  registry: TestRegistry,
  repository: string,
  upload: { readonly reference?: string; readonly manifest: { readonly mediaType: string } },
): Promise<string> {
  const body = JSON.stringify(upload.manifest)
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`
  const done = await fetch(`http://${registry.host}/v2/${repository}/manifests/${upload.reference ?? digest}`, {
    method: 'PUT',
    headers: { authorization: basicAuth(registry), 'content-type': upload.manifest.mediaType },
    body,
  })
  if (done.status !== 201) throw new Error(`manifest upload: ${done.status} ${await done.text()}`)
  return digest
}

async function isUp(host: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://${host}/v2/`)
    await answer.arrayBuffer()
    return answer.status === 200 || answer.status === 401
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })
}
