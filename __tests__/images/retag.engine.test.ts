import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { RegistryClient } from '../../src/images/registry-client.ts'
import { planRetag, type RetagOptions } from '../../src/images/retag.ts'
import { apiErrors, type Refusal, startRefusingRegistry } from '../support/refusing-registry.ts'
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
  client = new RegistryClient({
    env: {},
    credentials: { find: () => Promise.resolve(undefined) },
    sleep: () => Promise.resolve(),
  })
})

afterAll(async () => {
  client.close()
  await Promise.all([registry.stop(), elsewhere.stop()])
})

function newRepository(): string {
  repository = `org/app${++count}`
  return repository
}

async function plan(options: Omit<RetagOptions, 'client' | 'repositories'> & Partial<RetagOptions>) {
  return await planRetag({ client, repositories: [], ...options })
}

describe('an image that is still there', () => {
  test('gets its new tags from itself, by HEAD requests alone', async () => {
    await using proxy = await startRefusingRegistry(registry.host)
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'old' })
    await pushSmallImage(registry, { repository, tag: 'latest', content: Buffer.from('an older image') })
    const name = `${proxy.host}/${repository}`
    expect(await plan({ digest, tags: [`${name}:new`, `${name}:old`, name, `${name}:new`] })).toEqual({
      kind: 'possible',
      actions: [{ source: `${name}@${digest}`, tags: [`${name}:new`, `${name}:latest`] }],
      present: [`${name}:old`],
    })
    // `old` proves that the repository has it.
    expect(proxy.requests.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      `HEAD /v2/${repository}/manifests/latest`,
      `HEAD /v2/${repository}/manifests/new`,
      `HEAD /v2/${repository}/manifests/old`,
    ])
  })

  test('is found by its digest where no tag points to it', async () => {
    await using proxy = await startRefusingRegistry(registry.host)
    const { digest } = await pushSmallImage(registry, { repository: newRepository() })
    const name = `${proxy.host}/${repository}`
    expect(await plan({ digest, tags: [`${name}:new`] })).toMatchObject({
      actions: [{ source: `${name}@${digest}`, tags: [`${name}:new`] }],
    })
    expect(proxy.requests).toHaveLength(2)
  })

  test('whose tags are all right needs nothing', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'one' })
    const name = `${registry.host}/${repository}`
    expect(await plan({ digest, tags: [`${name}:one`] })).toEqual({
      kind: 'possible',
      actions: [],
      present: [`${name}:one`],
    })
  })

  test('is found where the registry knows no HEAD', async () => {
    const refuse = ({ method }: { readonly method: string }): Refusal | undefined =>
      method === 'HEAD' ? { status: 405, body: '' } : undefined
    await using proxy = await startRefusingRegistry(registry.host, refuse)
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'one' })
    const name = `${proxy.host}/${repository}`
    expect(await plan({ digest, tags: [`${name}:one`, `${name}:two`] })).toMatchObject({
      actions: [{ tags: [`${name}:two`] }],
      present: [`${name}:one`],
    })
  })
})

describe('a repository that has not got the image', () => {
  test('gets a copy from one that has it, best of the same registry', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'old' })
    const near = `${registry.host}/${repository}`
    await pushSmallImage(elsewhere, { repository, tag: 'old' })
    const far = `${elsewhere.host}/${repository}`
    const copies = [`${registry.host}/copies/${repository}:a`, `${registry.host}/copies/${repository}:b`]
    // The record's repository is nearer than the wanted one that has it.
    expect(await plan({ digest, tags: [`${far}:new`, ...copies], repositories: [near, far] })).toEqual({
      kind: 'possible',
      actions: [
        { source: `${far}@${digest}`, tags: [`${far}:new`] },
        { source: `${near}@${digest}`, tags: copies },
      ],
      present: [],
    })
    const faraway = `${elsewhere.host}/copies/${repository}:a`
    expect(await plan({ digest, tags: [`${near}:new`, faraway], repositories: [near] })).toMatchObject({
      actions: [{ source: `${near}@${digest}` }, { source: `${near}@${digest}`, tags: [faraway] }],
    })
  })

  test('that lost it, or all that it had of it, is told as gone', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'old' })
    const name = `${registry.host}/${repository}`
    await loseManifest(registry, repository, digest)
    const other = `${elsewhere.host}/never/pushed`
    expect(await plan({ digest, tags: [`${name}:old`], repositories: [name, other] })).toEqual({
      kind: 'gone',
      missing: [name, other],
    })
  })

  test('is one that lost a part of it: its tags are written again', async () => {
    const image = { platforms: ['linux/amd64', 'linux/arm64'], tag: 'old' }
    const { digest, manifests } = await pushSmallImage(registry, { repository: newRepository(), ...image })
    const name = `${registry.host}/${repository}`
    expect(await plan({ digest, manifests, tags: [`${name}:old`] })).toMatchObject({ present: [`${name}:old`] })
    await loseManifest(registry, repository, manifests[2] ?? '')
    expect(await plan({ digest, manifests, tags: [`${name}:old`] })).toEqual({ kind: 'gone', missing: [name] })

    await pushSmallImage(registry, { repository: `whole/${repository}`, ...image })
    const whole = `${registry.host}/whole/${repository}`
    expect(await plan({ digest, manifests, tags: [`${name}:old`], repositories: [whole] })).toEqual({
      kind: 'possible',
      actions: [{ source: `${whole}@${digest}`, tags: [`${name}:old`] }],
      present: [],
    })
  })
})

describe('a registry that does not say', () => {
  test.each([
    [401, apiErrors('UNAUTHORIZED', 'authentication required'), 'asks for a login'],
    [403, apiErrors('DENIED', 'requested access to the resource is denied'), 'denies access'],
    [429, apiErrors('TOOMANYREQUESTS', 'slow down'), 'refuses more requests'],
    [503, '<html>', 'failed with status 503'],
  ])('for status %d the plan is unknown, with its words', async (status, body, words) => {
    await using proxy = await startRefusingRegistry(registry.host, () => ({
      status,
      body,
      headers: status === 401 ? { 'www-authenticate': 'Basic realm="x"' } : {},
    }))
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'old' })
    const there = `${registry.host}/${repository}`
    const name = `${proxy.host}/${repository}`
    const unknown = await plan({ digest, tags: [`${there}:old`, `${name}:old`], repositories: [there, name] })
    expect(unknown).toEqual({
      kind: 'unknown',
      problems: [{ message: expect.stringContaining(words), mend: expect.any(String) }],
    })
    expect(JSON.stringify(unknown)).toContain(proxy.host)
  })

  test('matters only where the image is nowhere else', async () => {
    const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'old' })
    const there = `${registry.host}/${repository}`
    const dead = '127.0.0.1:1/org/app'
    expect(await plan({ digest, tags: [`${there}:old`], repositories: [there, dead] })).toMatchObject({ actions: [] })
    const lost = `${registry.host}/lost/${repository}`
    expect(await plan({ digest, tags: [`${lost}:old`], repositories: [dead, there] })).toMatchObject({
      actions: [{ source: `${there}@${digest}`, tags: [`${lost}:old`] }],
    })
    expect(await plan({ digest, tags: [`${lost}:old`], repositories: [dead] })).toEqual({
      kind: 'unknown',
      problems: [{ message: expect.stringContaining('ECONNREFUSED'), mend: expect.any(String) }],
    })
  })
})

test('a cancelled run gets no plan', async () => {
  const { digest } = await pushSmallImage(registry, { repository: newRepository(), tag: 'old' })
  const signal = AbortSignal.abort(new Error('cancelled'))
  await expect(plan({ digest, tags: [`${registry.host}/${repository}:old`], signal })).rejects.toThrow('cancelled')
})

test('a name that is none is refused', async () => {
  const digest = `sha256:${'0'.repeat(64)}`
  await expect(plan({ digest, tags: ['Not A Name'] })).rejects.toThrow('must be lowercase')
})
