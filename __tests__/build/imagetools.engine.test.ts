import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { carryOut } from '../../src/build/imagetools.ts'
import { runDocker } from '../../src/build/buildx.ts'
import { RegistryClient } from '../../src/images/registry-client.ts'
import { MEDIA_TYPES } from '../../src/images/manifest.ts'
import { planRetag, type RetagAction } from '../../src/images/retag.ts'
import { docker, workspace } from '../support/engine.ts'
import { published } from '../support/published.ts'
import { apiErrors, type PassingRequest, type Refusal, startRefusingRegistry } from '../support/refusing-registry.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { loseManifest, pushSmallImage } from '../support/small-image.ts'

let registry: TestRegistry
let elsewhere: TestRegistry
let client: RegistryClient
/** Each test has repositories of its own. */
let count = 0
let repository: string

beforeAll(async () => {
  ;[registry, elsewhere] = await Promise.all([startRegistry(), startRegistry()])
  client = new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) } })
})

afterAll(async () => {
  client.close()
  await Promise.all([registry.stop(), elsewhere.stop()])
})

function newRepository(): string {
  repository = `org/app${++count}`
  return repository
}

/** The outcome of the only action. */
async function write(action: RetagAction, signal?: AbortSignal) {
  const [problem] = await carryOut({ env: process.env }, [action], { client, signal })
  return problem
}

function refusePut(tag: string, refusal: Refusal, times = Infinity): (request: PassingRequest) => Refusal | undefined {
  let left = times
  return ({ method, path }) =>
    method === 'PUT' && path.endsWith(`/manifests/${tag}`) && left-- > 0 ? refusal : undefined
}

describe('an image in its own repository', () => {
  test('built for several platforms with attestations gets tags with one write each, its digest unchanged', async () => {
    await using proxy = await startRefusingRegistry(registry.host)
    await using space = await workspace({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /a\n' })
    const name = `${proxy.host}/${newRepository()}`
    const output = `type=image,name=${name}:old,push=true,store=false`
    const platform = 'linux/amd64,linux/arm64'
    await docker('buildx', 'build', '--provenance=true', '--platform', platform, '--output', output, space.directory)
    const before = await published(`${name}:old`)
    expect(before.attestations).toHaveLength(2)
    proxy.clear()

    expect(await write({ source: `${name}@${before.digest}`, tags: [`${name}:a`, `${name}:b`] })).toBeUndefined()
    expect([...proxy.writes()].sort()).toEqual(['a', 'b'].map((tag) => `PUT /v2/${repository}/manifests/${tag}`))
    // Each read of a manifest counts as a pull in some registries: one for all tags.
    const reads = proxy.requests.filter(({ method }) => method !== 'PUT')
    expect(reads).toEqual([{ method: 'GET', path: `/v2/${repository}/manifests/${before.digest}` }])
    for (const tag of ['a', 'b']) {
      const { digest, manifests, attestations } = await published(`${name}:${tag}`)
      expect({ digest, manifests, attestations }).toEqual({
        digest: before.digest,
        manifests: before.manifests,
        attestations: before.attestations,
      })
    }
  })

  test('without an index stays without one', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository() })
    const name = `${registry.host}/${repository}`
    expect(await write({ source: `${name}@${digest}`, tags: [`${name}:one`] })).toBeUndefined()
    expect((await published(`${name}:one`)).digest).toBe(digest)
  })

  test('with all tags right is not written at all', async () => {
    await using proxy = await startRefusingRegistry(registry.host)
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'old' })
    const name = `${proxy.host}/${repository}`
    const plan = async () =>
      await planRetag({ client, digest, tags: [`${name}:old`, `${name}:new`], repositories: [name] })
    for (const writes of [[`PUT /v2/${repository}/manifests/new`], []]) {
      proxy.clear()
      const planned = await plan()
      if (planned.kind !== 'possible') throw new Error(planned.kind)
      const results = await carryOut({ env: process.env }, planned.actions, { client })
      expect(results.every((problem) => problem === undefined)).toBe(true)
      expect(proxy.writes()).toEqual(writes)
    }
  })

  test('needs no docker', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository() })
    const name = `${registry.host}/${repository}`
    const actions = [{ source: `${name}@${digest}`, tags: [`${name}:one`] }]
    expect(await carryOut({ env: { PATH: '/nowhere' } }, actions, { client })).toEqual([undefined])
  })

  test('keeps its bytes, also where they are no canonical JSON', async () => {
    const pushed = await pushSmallImage(registry, { repository: newRepository() })
    const manifests = `http://${registry.host}/v2/${repository}/manifests`
    const type = MEDIA_TYPES.ociManifest
    const plain = await (await fetch(`${manifests}/${pushed.digest}`, { headers: { accept: type } })).text()
    const bytes = `${plain.replace('{', '{ "org.example.unknown": "\\u00e9",')}\n\n`
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const put = { method: 'PUT', headers: { 'content-type': type }, body: bytes }
    expect((await fetch(`${manifests}/${digest}`, put)).status).toBe(201)
    const name = `${registry.host}/${repository}`
    expect(await write({ source: `${name}@${digest}`, tags: [`${name}:odd`] })).toBeUndefined()
    const answer = await fetch(`${manifests}/odd`, { headers: { accept: type } })
    expect([await answer.text(), answer.headers.get('content-type')]).toEqual([bytes, type])
  })
})

describe('a repository without the image', () => {
  test('needs no engine', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository() })
    const env = { ...process.env, DOCKER_HOST: 'unix:///nowhere/docker.sock' }
    expect((await runDocker({ env }, ['info'])).code).not.toBe(0)
    const source = `${registry.host}/${repository}@${digest}`
    const actions = [{ source, tags: [`${registry.host}/copies/${repository}:one`] }]
    expect(await carryOut({ env }, actions, { client })).toEqual([undefined])
  })

  test('of the same registry gets it by mounts, without a byte of a layer', async () => {
    await using proxy = await startRefusingRegistry(registry.host)
    const platforms = ['linux/amd64', 'linux/arm64']
    const { digest, layer } = await pushSmallImage(registry, { repository: newRepository(), platforms })
    const copy = `${proxy.host}/copies/${repository}`
    const source = `${proxy.host}/${repository}@${digest}`
    expect(await write({ source, tags: [`${copy}:a`, `${copy}:b`] })).toBeUndefined()
    expect((await published(`${copy}:a`)).digest).toBe(digest)
    expect((await published(`${copy}:b`)).manifests).toHaveLength(2)
    const writes = proxy.writes().join('\n')
    expect(writes).toContain(`mount=${layer}&from=${repository}`)
    expect(writes).not.toMatch(/PUT \S+blobs/)
  })

  test('of another registry gets each blob once, however many the tags', async () => {
    await using proxy = await startRefusingRegistry(elsewhere.host)
    const content = randomBytes(3_000_000)
    const { digest, layer } = await pushSmallImage(registry, { repository: newRepository(), content })
    const copy = `${proxy.host}/${repository}`
    const tags = ['a', 'b', 'c'].map((tag) => `${copy}:${tag}`)
    expect(await write({ source: `${registry.host}/${repository}@${digest}`, tags })).toBeUndefined()
    for (const tag of tags) expect((await published(tag)).digest).toBe(digest)
    const uploads = proxy.writes().filter((text) => text.startsWith('PUT') && text.includes(encodeURIComponent(layer)))
    expect(uploads).toHaveLength(1)
  })

  test('that lost a part of it gets that part back', async () => {
    const image = { platforms: ['linux/amd64', 'linux/arm64'], tag: 'old' }
    const { digest, manifests } = await pushSmallImage(registry, { repository: newRepository(), ...image })
    await pushSmallImage(registry, { repository: `whole/${repository}`, ...image })
    await loseManifest(registry, repository, manifests[0] ?? '')
    const name = `${registry.host}/${repository}`
    await expect(published(`${name}:old`)).rejects.toThrow('404')
    const source = `${registry.host}/whole/${repository}@${digest}`
    expect(await write({ source, tags: [`${name}:old`] })).toBeUndefined()
    expect((await published(`${name}:old`)).manifests).toHaveLength(2)
  })
})

describe('a registry that refuses', () => {
  async function attempt(refuse: (request: PassingRequest) => Refusal | undefined, present?: string) {
    await using proxy = await startRefusingRegistry(registry.host, refuse)
    const { digest } = await pushSmallImage(registry, { repository: newRepository() })
    if (present !== undefined) await pushSmallImage(registry, { repository, tag: present })
    const name = `${proxy.host}/${repository}`
    const problem = await write({ source: `${name}@${digest}`, tags: [`${name}:bad`, `${name}:good`] })
    // The other tag is written all the same.
    expect((await published(`${name}:good`)).digest).toBe(digest)
    return { problem, writes: proxy.writes().filter((text) => text.endsWith('bad')).length, name }
  }

  test.each([
    [
      'ECR',
      400,
      apiErrors(
        'TAG_INVALID',
        "The image tag 'bad' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.",
      ),
    ],
    ['Harbor', 412, apiErrors('PRECONDITION', "Failed to process request due to 'app:bad' configured as immutable.")],
    ['MSR', 403, apiErrors('DENIED', 'tag=bad cannot be overwritten because org/app is an immutable repository')],
  ])('to overwrite a tag: %s', async (_, status, body) => {
    const { problem, writes, name } = await attempt(refusePut('bad', { status, body }))
    const { errors } = JSON.parse(body) as { readonly errors: readonly { readonly message: string }[] }
    expect(problem?.message).toContain(`${name}:bad was not re-tagged: the tag is there with another image`)
    expect(problem?.message).toContain(errors[0]?.message.replace(/\.$/, ''))
    expect(problem?.mend).toContain('${{ github.sha }}')
    expect(writes).toBe(1)
  })

  test('a second write of what is right already is no failure', async () => {
    const immutable = { status: 400, body: apiErrors('TAG_INVALID', 'the tag is immutable') }
    const { problem } = await attempt(refusePut('bad', immutable), 'bad')
    expect(problem).toBeUndefined()
  })

  test.each([
    [403, apiErrors('DENIED', 'permission_denied: write_package'), {}, 'write_package'],
    [
      401,
      apiErrors('UNAUTHORIZED', 'authentication required'),
      { 'www-authenticate': 'Basic realm="x"' },
      '(not logged in, or no permission).',
    ],
  ])('for want of permission: %d', async (status, body, headers, words) => {
    const { problem, writes, name } = await attempt(refusePut('bad', { status, body, headers }))
    expect(problem?.message).toContain(`${name}:bad was not re-tagged: `)
    expect(problem?.message).toContain('does not let this job write it (not logged in, or no permission).')
    expect(problem?.message).toContain(words)
    expect(problem?.mend).toContain('docker/login-action')
    expect(writes).toBeLessThanOrEqual(2)
  })

  test.each([
    [429, 2, {}],
    [429, 1, { 'retry-after': '1' }],
    [503, 2, {}],
  ])('for a moment is asked again: %d', async (status, times, headers) => {
    const { problem, writes } = await attempt(refusePut('bad', { status, body: '{}', headers }, times))
    expect(problem).toBeUndefined()
    expect(writes).toBe(times + 1)
  })

  test('for an hour is not waited for', async () => {
    const refusal = { status: 429, body: '{}', headers: { 'retry-after': '3600' } }
    const { problem, writes } = await attempt(refusePut('bad', refusal))
    expect(problem?.message).toContain('refuses more requests for now')
    expect(writes).toBe(1)
  })

  test.each([
    [429, 'refuses more requests for now'],
    [503, 'failed with status 503'],
  ])('for longer is told: %d', async (status, words) => {
    const { problem, writes } = await attempt(refusePut('bad', { status, body: '{}' }))
    expect(problem?.message).toContain(words)
    expect(problem?.mend).toContain('Run the job again later')
    expect(writes).toBe(3)
  })

  test('in silence is found out: the tag does not point to the image', async () => {
    const { problem, name } = await attempt(refusePut('bad', { status: 201, body: '' }))
    expect(problem?.message).toContain(`${name}:bad was written, but does not point to sha256:`)
    expect(problem?.message).toContain('it is not there')
  })

  test('to say what it wrote is asked', async () => {
    const { problem } = await attempt(refusePut('bad', { status: 201, body: '' }), 'bad')
    expect(problem).toBeUndefined()
  })
})

describe('a registry', () => {
  test('that cannot be reached is told, and keeps no other from being written', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository() })
    const name = `${registry.host}/${repository}`
    const source = `${name}@${digest}`
    const actions = [
      { source, tags: ['127.0.0.1:1/org/app:one'] },
      { source, tags: ['nowhere.invalid/org/app:one'] },
      { source, tags: [`${name}:one`] },
      { source: `${name}@sha256:${'0'.repeat(64)}`, tags: [`${name}:two`] },
      { source: `127.0.0.1:1/org/app@${digest}`, tags: ['127.0.0.1:1/org/app:one'] },
    ]
    const [refused, unknown, well, gone, inPlace] = await carryOut({ env: process.env }, actions, {
      client,
      concurrency: 2,
    })
    expect(refused?.message).toContain('127.0.0.1:1/org/app:one was not re-tagged: 127.0.0.1:1 could not be reached.')
    expect(unknown?.message).toContain('nowhere.invalid could not be reached. It said: ')
    expect(well).toBeUndefined()
    expect(gone?.message).toContain(`${name}:two was not re-tagged: its image is no longer there.`)
    expect(inPlace?.message).toBe(
      '127.0.0.1:1/org/app:one was not re-tagged: 127.0.0.1:1 could not be reached. It said: ECONNREFUSED.',
    )
  })

  test('with a login is written with that of docker, and without it the user is told to log in', async () => {
    await using locked = await startRegistry({ auth: true })
    await using space = await workspace()
    const { digest } = await pushSmallImage(locked, { repository: newRepository() })
    const name = `${locked.host}/${repository}`
    const action = { source: `${name}@${digest}`, tags: [`${name}:one`] }
    const login = async (password: string) => {
      const auth = Buffer.from(`${locked.username}:${password}`).toString('base64')
      await space.write({ 'docker/config.json': JSON.stringify({ auths: { [locked.host]: { auth } } }) })
      const credentials = {
        find: () => Promise.resolve({ kind: 'basic' as const, username: locked.username, password }),
      }
      const known = new RegistryClient({ env: {}, credentials })
      const env = { ...process.env, DOCKER_CONFIG: space.path('docker') }
      const [problem] = await carryOut({ env }, [action], { client: known })
      known.close()
      return problem
    }
    const problem = await login('wrong secret')
    expect(problem?.message).toContain(`${locked.host} does not let this job write it`)
    expect(problem?.mend).toContain(`docker/login-action (registry: ${locked.host})`)
    expect(JSON.stringify(problem)).not.toContain('wrong secret')
    expect(await login(locked.password)).toBeUndefined()
  })

  test('that never answers is left when the run is cancelled', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository() })
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    if (typeof address !== 'object' || address === null) throw new Error('no port')
    const reached = new Promise<void>((resolve) =>
      silent.once('connection', (socket) => {
        socket.on('error', () => undefined)
        resolve()
      }),
    )
    const abort = new AbortController()
    const source = `${registry.host}/${repository}@${digest}`
    const writing = write({ source, tags: [`127.0.0.1:${address.port}/org/app:one`] }, abort.signal)
    await reached
    const started = performance.now()
    abort.abort(new Error('cancelled'))
    await expect(writing).rejects.toThrow('cancelled')
    expect(performance.now() - started).toBeLessThan(5_000)
    silent.close()
  })
})

test('without docker the user is told to install it', async () => {
  const action = { source: `x.invalid/a@sha256:${'0'.repeat(64)}`, tags: ['x.invalid/b:1'] }
  await expect(carryOut({ env: { PATH: '/nowhere' } }, [action], { client })).rejects.toThrow(/docker/i)
})
