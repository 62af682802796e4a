/** Runs images that a test built, and asks the local registry what it keeps. */
import { runProcess } from '../../src/process.ts'

/** What a container prints, its input given. @throws Error when it fails. */
export async function runImage(image: string, options: { readonly input?: string } = {}): Promise<string> {
  return await docker(['run', '--rm', '--interactive', '--pull=always', '--quiet', image], options.input ?? '')
}

/** The body that an image's server on port 80 answers `path` with. */
export async function fetchFromImage(image: string, path: string): Promise<string> {
  const id = await docker(['run', '--detach', '--pull=always', '--quiet', '--publish=127.0.0.1::80', image])
  try {
    const address = await docker(['port', id, '80/tcp'])
    return await fetchPatiently(`http://${address}${path}`)
  } finally {
    await docker(['rm', '--force', '--volumes', id])
  }
}

/** The server needs a moment to listen. */
async function fetchPatiently(url: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(5000) })
      return await answer.text()
    } catch (error) {
      if (attempt >= 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** The digest that a registry on loopback keeps under `HOST:PORT/NAME:TAG`; undefined when it has none. */
export async function digestInRegistry(reference: string): Promise<string | undefined> {
  const [, host, name, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? []
  if (host === undefined || name === undefined || tag === undefined) throw new Error(`not HOST/NAME:TAG: ${reference}`)
  const answer = await fetch(`http://${host}/v2/${name}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json' },
  })
  return answer.headers.get('docker-content-digest') ?? undefined
}

async function docker(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runProcess('docker', args, { input })
  if (code !== 0) throw new Error(`docker ${args.join(' ')} failed (${code ?? 'killed'}): ${stderr}`)
  return stdout.trim()
}
