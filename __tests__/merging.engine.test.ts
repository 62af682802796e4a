/** Images that legs pushed of a platform each: what is merged, what is not, and what a later plan believes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { FoundRecords } from '../src/cache/index-loader.ts'
import { decideByParts } from '../src/deciding-parts.ts'
import type { Decision } from '../src/decision.ts'
import { RegistryClient } from '../src/images/registry-client.ts'
import { readInputs } from '../src/inputs.ts'
import { KnownRecords } from '../src/known-records.ts'
import type { SizeRecord } from '../src/measure/size-record.ts'
import { mergeTargets, type MergedTarget } from '../src/merging.ts'
import type { PlannedTarget } from '../src/plan/plan-input.ts'
import { writeRecords, type TargetRecord } from '../src/plan/record.ts'
import { printed } from './support/prints.ts'
import { startRegistry, type TestRegistry } from './support/registry.ts'
import { loseManifest, pushSmallImage, type SmallImage } from './support/small-image.ts'

const PLATFORMS = ['linux/amd64', 'linux/arm64']
const signal = new AbortController().signal

let registry: TestRegistry
let client: RegistryClient
let count = 0
let repository: string
let name: string

beforeAll(async () => {
  registry = await startRegistry()
  client = new RegistryClient({ env: {}, credentials: { find: () => Promise.resolve(undefined) } })
})

afterAll(async () => {
  client.close()
  await registry.stop()
})

beforeEach(() => {
  repository = `org/app${++count}`
  name = `${registry.host}/${repository}`
})

/** What a leg pushed. */
async function push(platform: string, content = platform): Promise<SmallImage> {
  return await pushSmallImage(registry, { repository, platforms: [platform], content: Buffer.from(content) })
}

function handed(platform: string, digest: string | undefined, more: Partial<SizeRecord> = {}): SizeRecord {
  return {
    ...{ version: 1, id: 'Dockerfile', target: 'app', file: 'Dockerfile', commit: undefined, ref: undefined },
    ...{ createdAt: '2026-01-02T03:04:05Z', run: undefined, line: 1, status: 'built', tags: [name], digest },
    ...{ platforms: [], wantedPlatforms: [platform], ...more },
  }
}

async function merge(
  records: readonly SizeRecord[],
  { push = true, ...target }: Partial<PlannedTarget> & { readonly push?: boolean } = {},
): Promise<MergedTarget> {
  const known = { sizes: undefined, since: undefined, file: undefined, platforms: undefined }
  const planned = { ...known, name: 'app', status: 'changed' as const, tags: [`${name}:v1`] }
  const plan = { id: 'Dockerfile', file: 'Dockerfile', platforms: PLATFORMS, isSplit: true }
  const options = { records, push, client, signal, docker: { env: process.env, cwd: process.cwd() } }
  const merged = await mergeTargets({ ...options, plan: { ...plan, targets: [{ ...planned, ...target }] } })
  const found = merged.get('app')
  if (found === undefined) throw new Error('the target was not merged')
  return found
}

const messages = ({ problems }: MergedTarget): readonly string[] => problems.map(({ message }) => message)

describe('a target of which every platform was pushed', () => {
  test('becomes one image, which a second time is there already', async () => {
    const [a, b] = await Promise.all(PLATFORMS.map(async (platform) => await push(platform)))
    const records = [handed('linux/arm64', b?.digest), handed('linux/amd64', a?.digest)]
    const merged = await merge(records)
    expect(merged).toMatchObject({ written: true, problems: [] })
    expect(await client.findDigest(`${name}:v1`)).toBe(merged.digest)
    const { manifest } = await client.fetchManifest(`${name}:v1`)
    const listed = manifest.kind === 'index' ? manifest.manifests.map(({ digest }) => digest) : []
    expect(new Set(listed)).toEqual(new Set([...(a?.manifests ?? []), ...(b?.manifests ?? [])]))
    expect(await merge(records)).toEqual({ ...merged, written: false })
  })

  test('may be images without attestations, whose configurations tell their platforms', async () => {
    const bare = await pushSmallImage(registry, { repository })
    const { digest } = await push('linux/arm64')
    const merged = await merge([handed('linux/amd64', bare.digest), handed('linux/arm64', digest)])
    expect(messages(merged)).toEqual([])
    const image = await client.resolveImage(`${name}:v1`, { platform: 'linux/amd64' })
    expect(image.manifestDigest).toBe(bare.digest)
  })

  test('may have fewer platforms than others of its plan', async () => {
    const { digest } = await push('linux/arm64')
    const merged = await merge([handed('linux/arm64', digest)], { platforms: ['linux/arm64'] })
    expect([messages(merged), merged.written]).toEqual([[], true])
    expect(messages(await merge([handed('linux/arm64', digest)]))).toEqual([
      expect.stringContaining('nothing came of its leg for `linux/amd64`'),
    ])
  })

  test('is copied to where no leg pushed', async () => {
    const [a, b] = await Promise.all(PLATFORMS.map(async (platform) => await push(platform)))
    const other = `${registry.host}/org/other${count}:v1`
    const records = [handed('linux/amd64', a?.digest), handed('linux/arm64', b?.digest)]
    const merged = await merge(records, { tags: [other] })
    expect([messages(merged), await client.findDigest(other)]).toEqual([[], merged.digest])
    expect(await client.findDigest(`${name}:v1`)).toBeUndefined()
  })
})

describe('a target gets no tags', () => {
  test.each<[string, (digest: string) => readonly SizeRecord[], string]>([
    ['of which a leg is missing', () => [], 'nothing came of its leg for `linux/arm64`.'],
    [
      'of which a leg failed',
      () => [handed('linux/arm64', undefined, { status: 'failed', failure: 'RUN make failed' })],
      'its leg for `linux/arm64` failed: RUN make failed.',
    ],
    [
      'of which a leg pushed nothing',
      () => [handed('linux/arm64', undefined)],
      'its leg for `linux/arm64` pushed nothing.',
    ],
    [
      'of which another project’s leg pushed',
      (digest) => [handed('linux/arm64', digest, { id: 'other/Dockerfile' })],
      'nothing came of its leg for `linux/arm64`.',
    ],
    [
      'of which a leg built another platform',
      (digest) => [handed('linux/arm64', digest)],
      'what its leg for linux/arm64 pushed is an image for linux/amd64.',
    ],
    [
      'of which a part is gone',
      () => [handed('linux/arm64', `sha256:${'0'.repeat(64)}`)],
      'its image for linux/arm64 is no longer in',
    ],
  ])('%s', async (_, others, message) => {
    const { digest } = await push('linux/amd64')
    const merged = await merge([handed('linux/amd64', digest), ...others(digest)])
    expect(messages(merged)).toEqual([expect.stringContaining(`\`app\` gets no tags: ${message}`)])
    expect([merged.digest, await client.findDigest(`${name}:v1`)]).toEqual([undefined, undefined])
  })

  test('whose legs pushed to different repositories', async () => {
    const { digest } = await push('linux/amd64')
    const first = handed('linux/amd64', digest)
    name = `${registry.host}/${(repository = `${repository}-other`)}`
    const second = handed('linux/arm64', (await push('linux/arm64')).digest)
    expect(messages(await merge([first, second]))).toEqual([
      '`app` gets no tags: its legs pushed to different repositories.',
    ])
  })

  test('where nothing is to be pushed, it is only looked whether it is whole', async () => {
    const both = PLATFORMS.map((platform) => handed(platform, undefined))
    expect(await merge(both, { push: false })).toEqual({ written: false, problems: [] })
    expect(messages(await merge(both.slice(0, 1), { push: false }))).toEqual([
      '`app` is not whole: nothing came of its leg for `linux/arm64`.',
    ])
  })
})

describe('a later plan', () => {
  const TEXT = 'FROM scratch AS app\nCOPY a /\n'
  const printOf = (platform: string, content: string) => printed(TEXT, { platform, files: { '/a': content } }).target

  function record(platform: string, digest: string | undefined, content = 'a'): TargetRecord {
    const { fingerprint, platforms, fields } = printOf(platform, content)
    return {
      ...{ createdAt: '2026-01-02T03:04:05.000Z', commit: 'c'.repeat(40), fingerprint },
      ...{ print: { platforms, fields }, files: new Map() },
      image: { digest, repositories: [name], imageId: undefined, sizes: undefined },
    }
  }

  const found = (source: FoundRecords['source'], ref: string, one: TargetRecord): FoundRecords => ({
    ...{ source, ref, isExact: true },
    records: JSON.parse(JSON.stringify({ built: writeRecords(new Map([['app', one]])) })) as unknown,
  })

  async function decide(
    places: readonly FoundRecords[],
    { isPushed = true, isPullRequest = false }: { readonly isPushed?: boolean; readonly isPullRequest?: boolean } = {},
  ): Promise<Decision> {
    const prints = PLATFORMS.map((platform) => ({ platform, prints: [printOf(platform, 'a')] }))
    const target = { name: 'app', stage: 0, stageName: 'app' }
    return await decideByParts(target, {
      ...{ inputs: readInputs(() => '', {}).inputs, env: {}, targets: [target], client, signal, isPushed },
      inputsOf: () => readInputs(() => '', {}).inputs,
      tagsOf: new Map([['app', [`${name}:v2`]]]),
      fingerprints: {
        prints: new Map(),
        parts: new Map([['app', prints]]),
        files: () => new Map(),
      },
      records: new KnownRecords(places, { isPullRequest, parts: PLATFORMS }),
    })
  }

  const reasons = (decision: Decision): readonly string[] =>
    decision.status === 'changed' ? decision.reasons.map(({ text }) => text) : [decision.status]

  async function merged(
    contents: readonly string[] = PLATFORMS,
  ): Promise<{ readonly records: readonly TargetRecord[]; readonly digest: string | undefined }> {
    const images = await Promise.all(PLATFORMS.map(async (platform, at) => await push(platform, contents[at])))
    const { digest } = await merge(PLATFORMS.map((platform, at) => handed(platform, images[at]?.digest)))
    return { records: PLATFORMS.map((platform, at) => record(platform, images[at]?.digest)), digest }
  }

  const ofMain = (records: readonly TargetRecord[]): readonly FoundRecords[] =>
    records.map((one) => found('base', 'refs/heads/main', one))

  test('leaves out what was merged of parts that did not change', async () => {
    const { records, digest } = await merged()
    const decision = await decide(ofMain(records))
    expect(decision).toMatchObject({
      ...{ status: 'unchanged', ref: 'refs/heads/main', record: { image: { digest, repositories: [name] } } },
      retag: { kind: 'possible', actions: [{ source: `${name}@${digest ?? ''}`, tags: [`${name}:v2`] }] },
    })
    expect(await decide(ofMain(records), { isPushed: false })).toMatchObject({ status: 'unchanged', retag: undefined })
  })

  test('has all built where a platform changed, or was never built, and says which', async () => {
    const { records } = await merged()
    const [amd64, arm64] = records
    const other = arm64 === undefined ? [] : [record('linux/arm64', arm64.image.digest, 'b')]
    const [first] = ofMain(amd64 === undefined ? [] : [amd64])
    expect(reasons(await decide([...(first === undefined ? [] : [first]), ...ofMain(other)]))).toEqual([
      expect.stringMatching(/^.*changed.* \(linux\/arm64\)$/),
    ])
    expect(reasons(await decide(first === undefined ? [] : [first]))).toEqual([
      'no record of an earlier build (linux/arm64)',
    ])
    expect(reasons(await decide([]))).toEqual(['no record of an earlier build'])
  })

  test('believes no index of other parts, and none that lost a part', async () => {
    const { records, digest } = await merged()
    const again = await push('linux/arm64', 'built once more')
    const [amd64] = records
    const mixed = amd64 === undefined ? [] : [amd64, record('linux/arm64', again.digest)]
    expect(reasons(await decide(ofMain(mixed)))).toEqual([`the index of its platforms is not in ${name}`])
    expect((await decide(ofMain(records))).status).toBe('unchanged')
    const { manifest } = await client.fetchManifest(`${name}@${digest ?? ''}`)
    const [, , attests] = manifest.kind === 'index' ? manifest.manifests : []
    await loseManifest(registry, repository, attests?.digest ?? '')
    expect(reasons(await decide(ofMain(records)))).toEqual([`the index of its platforms is not in ${name}`])
  })

  test('takes the parts of one branch, where two built them', async () => {
    const { records, digest } = await merged()
    const own = await Promise.all(PLATFORMS.map(async (platform) => await push(platform, `${platform} once more`)))
    const places = PLATFORMS.map((platform, at) => found('own', 'refs/pull/7/merge', record(platform, own[at]?.digest)))
    const decision = await decide([...places, ...ofMain(records)], { isPullRequest: true })
    expect(decision).toMatchObject({ status: 'unchanged', ref: 'refs/heads/main', record: { image: { digest } } })
    // Of a pull request, only its own records and those of its base count.
    const others = records.map((one) => found('default', 'refs/heads/main', one))
    expect((await decide(others, { isPullRequest: true })).status).toBe('changed')
  })

  test('takes no record of several platforms for one of a part', async () => {
    const { records } = await merged()
    const [amd64, arm64] = records
    if (amd64 === undefined || arm64 === undefined) throw new Error('there are no records')
    const platforms = [...amd64.print.platforms, ...arm64.print.platforms]
    const both = { ...arm64, print: { ...arm64.print, platforms } }
    expect(reasons(await decide(ofMain([amd64, both])))).toEqual(['no record of an earlier build (linux/arm64)'])
  })
})
