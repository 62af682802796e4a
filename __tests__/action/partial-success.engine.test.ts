/**
 * One target fails, or a registry does for a while: the others are finished, what may pass is tried again, and the step
 * says at its end what is there and what is not.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { manifestDigest, workspace } from '../support/engine.ts'
import { builds, forgetImages, fresh, step } from '../support/step.ts'
import { rawTar } from '../support/raw-tar.ts'
import { pushSmallImage } from '../support/small-image.ts'
import { attempt, type Attempt, type Told } from '../support/refusal.ts'
import { startRegistry, type TestRegistry } from '../support/registry.ts'
import { startThrottledProxy, type ThrottledProxy } from '../support/throttled-registry.ts'
import type { FaultRule } from '../support/cache-faults.ts'
import type { RegistryOperation } from '../support/throttled-registry.ts'

let registry: TestRegistry
let proxy: ThrottledProxy
beforeAll(async () => {
  registry = await startRegistry()
  proxy = await startThrottledProxy({ target: registry.host })
})
afterAll(async () => {
  await forgetImages(proxy.host)
  await proxy[Symbol.asyncDispose]()
  await registry.stop()
})

const retriesIn = ({ stdout }: Pick<Told, 'stdout'>): readonly string[] =>
  stdout.split('\n').filter((line) => line.startsWith('↻'))
const listed = ({ outputs }: Pick<Told, 'outputs'>): unknown => [outputs['built'], outputs['failed']].map((text) => JSON.parse(text ?? '0') as unknown) // prettier-ignore

/**
 * Where builds are broken off beside others, BuildKit now and then cleans away a layer that is still needed: that is told, and
 * built anew, and only then. https://github.com/moby/buildkit/pull/6808
 */
const lostIn = ({ warnings }: Pick<Told, 'warnings'>): readonly string[] =>
  warnings.filter((text) => text.includes('builder’s own cache is gone'))

/** Three targets; `two` fails, and says things that must not be taken for a registry's. */
function project(mark: string): Readonly<Record<string, string>> {
  return {
    Dockerfile: [
      'FROM alpine:3.22 AS shared', `RUN echo ${mark} shared > /shared`,
      'FROM shared AS one', `RUN echo ${mark} one; sleep 1`,
      'FROM shared AS two',
      `RUN echo ${mark}; echo 'unexpected status from GET request to https://r/v2/x: 503 Service Unavailable'; exit 3`,
      'FROM scratch AS three', 'COPY mark /', '',
    ].join('\n'),
    mark,
  } // prettier-ignore
}

describe('a failing RUN', () => {
  test('fails its target alone: the others are pushed and told, and are known to the next run', async () => {
    const mark = fresh()
    const repository = `${registry.host}/partial/${mark}`
    const inputs = { targets: 'one,two,three', tags: `${repository}:{target}`, push: 'true' }
    await using space = await workspace(project(mark))
    const cached = { ...inputs, 'cache-dir': space.path('..', 'cache') }
    const run = await step(space, { inputs: cached })
    expect(run.code).toBe(1)
    expect(run.errors).toEqual([expect.stringMatching(/^Dockerfile:6: `RUN .*` failed with exit code 3\. Needed by target `two`\./)])
    expect(run.annotations.find(({ level }) => level === 'error')).toMatchObject({ file: 'Dockerfile', line: 6 })
    expect([run.warnings, retriesIn(run), listed(run)]).toEqual([lostIn(run), [], [['one', 'three'], ['two']]])
    const images = JSON.parse(run.outputs['images'] ?? '') as Record<string, { digest: string; sizes: object }>
    for (const name of ['one', 'three']) {
      expect(images[name]?.digest).toBe(await manifestDigest(`${repository}:${name}`))
      expect(images[name]?.sizes).toMatchObject({ 'linux/amd64': { unpacked: { own: expect.any(Number) as unknown } } })
    }
    expect(Object.keys(images)).toEqual(['one', 'three'])
    expect(Object.keys(JSON.parse(run.outputs['metadata'] ?? '') as object)).toEqual(expect.arrayContaining(['one', 'three']))
    expect(await manifestDigest(`${repository}:two`)).toBeUndefined()
    expect(run.outputs['digest']).toBeUndefined()
    expect(run.summary).toMatch(/two.* failed/)
    expect(run.stdout).not.toContain('Finishing for the layer cache')
    expect(run.stdout.match(/✓ .*shared > \/shared \d/g)).toHaveLength(1 + lostIn(run).length)

    await space.write({ Dockerfile: (project(mark)['Dockerfile'] ?? '').replace('exit 3', 'true') })
    const mended = await builds(space, { inputs: cached })
    expect(mended.outputs['unchanged']).toBe('["one","three"]')
    expect(mended.outputs['built']).toBe('["two"]')
  }) // prettier-ignore

  test('in a shared stage fails all that need it, once; `no-cache` runs nothing twice', async () => {
    const mark = fresh()
    const Dockerfile = [
      'FROM alpine:3.22 AS fine', `RUN echo ${mark} >> /fine; sleep 1`,
      'FROM fine AS shared', `RUN echo ${mark} ran; exit 4`,
      'FROM shared AS one', 'RUN true', 'FROM shared AS two', 'RUN true',
      'FROM fine', `RUN echo ${mark} last; sleep 2`, 'FROM fine AS three', `RUN echo ${mark} three`, '',
    ].join('\n') // prettier-ignore
    const inputs = { targets: 'one,two,three', 'no-cache': 'true' }
    const run = await attempt({ files: { Dockerfile }, inputs })
    expect(run.errors).toHaveLength(1)
    expect(run.errors[0]).toMatch(/^Dockerfile:4: .*exit code 4\. Needed by targets `(?:one`, `two|two`, `one)`\./)
    expect(listed(run)).toEqual([['three'], ['one', 'two']])
    const lost = lostIn(run)
    expect(run.warnings).toEqual(lost)
    expect(run.stdout.match(/^✓ \[fine 2\/2\] RUN .* \d/gm)).toHaveLength(1 + lost.length)
    expect(run.stdout).toMatch(/^✗ (?:one, two|two, one) failed; going on with three$/m)
  })

  test('never lets an older result stand in for what `no-cache` was to run again', async () => {
    const mark = fresh()
    const Dockerfile = [
      'FROM alpine:3.22 AS one', `RUN echo ${mark}; sleep 1; date +%s%N > /at`,
      'FROM alpine:3.22 AS two', 'COPY verdict /', `RUN echo ${mark}; sh /verdict`,
      'FROM alpine:3.22', `RUN echo ${mark} last; sleep 1; date +%s%N > /at`, '',
    ].join('\n') // prettier-ignore
    const before = await attempt({ files: { Dockerfile, verdict: 'true' }, inputs: { targets: 'all' } })
    const run = await attempt({
      files: { Dockerfile, verdict: 'false' },
      inputs: { targets: 'all', 'no-cache': 'true' },
    })
    expect([before.code, run.code, listed(run)]).toEqual([0, 1, [['one', 'default'], ['two']]])
    const [old, now] = [before, run].map(
      ({ outputs }) => JSON.parse(outputs['images'] ?? '') as Record<string, { imageid: string }>,
    )
    for (const name of ['one', 'default']) expect(now?.[name]?.imageid).not.toBe(old?.[name]?.imageid)
  })

  test('stops the others with `fail-fast`', async () => {
    const run = await attempt({ files: project(fresh()), inputs: { targets: 'one,two', 'fail-fast': 'true' } })
    expect([run.code, listed(run), run.outputs['images']]).toEqual([1, [[], ['one', 'two']], '{}'])
  })
})

describe('a registry that fails for a while', () => {
  const FILES = { Dockerfile: 'FROM scratch AS one\nCOPY mark /\nFROM scratch AS two\nCOPY mark /two/\n' }
  const LIMITED = { kind: 'status', status: 429, retryAfter: 1 } as const

  /** A push through the proxy that fails until `heals` says of the log that it is enough. */
  async function push(
    rule: FaultRule<RegistryOperation>,
    { heals = /^$/, ...more }: { readonly heals?: RegExp } & Attempt = {},
  ): Promise<Told> {
    const mark = fresh()
    proxy.fail(rule)
    try {
      return await attempt({
        files: { ...FILES, mark },
        ...more,
        inputs: { targets: 'one', tags: `${proxy.host}/partial/${mark}:{target}`, push: 'true', ...more.inputs },
        onLog: (text) => {
          if (heals.test(text)) proxy.heal()
          more.onLog?.(text)
        },
      })
    } finally {
      proxy.heal()
    }
  }

  test('is pushed to again after as long as it asks for, with a line that says so', async () => {
    const run = await push(
      { operation: ['upload', 'manifest'], key: ':|/manifests/|/uploads/', effect: LIMITED },
      { heals: /^↻/m, inputs: { targets: 'one,two' } },
    )
    expect([run.code, run.errors, run.warnings, listed(run)]).toEqual([0, [], [], [['one', 'two'], []]])
    expect(retriesIn(run).length).toBeGreaterThan(0)
    for (const line of retriesIn(run)) {
      expect(line).toMatch(/^↻ (?:one|two|one, two): retry 1 of 2 in \d\.\d s(?:, after (?:one|two))?: \S+ (?:answered 429 Too Many Requests|ended the connection too early)/)
    }
  }) // prettier-ignore

  test('is asked again for a base image, when it is planned and when it is built', async () => {
    const repository = `base/${fresh()}`
    // Of an image that it has, BuildKit asks for nothing.
    await pushSmallImage(registry, { repository, tag: '1', content: rawTar([{ path: 'new', body: repository }]) })
    const fail = (): unknown => proxy.fail({ operation: 'manifest', effect: { ...LIMITED, status: 503 } })
    fail()
    const run = await attempt({
      files: { Dockerfile: `FROM ${proxy.host}/${repository}:1\nCOPY mark /\n`, mark: '' },
      onLog: (text) => {
        if (text.includes('↻')) proxy.heal()
        if (/^Docker .*builder/m.test(text)) fail()
      },
    })
    expect([run.code, run.errors, run.warnings]).toEqual([0, [], []])
    const said = `${proxy.host} answered 503`
    expect(retriesIn(run)).toEqual([
      expect.stringMatching(
        `^↻ ${proxy.host}/${repository}:1: retry 1 of 2 in 1.\\d s: ${said}, and asked to wait 1 s$`,
      ),
      expect.stringMatching(
        `^↻ default: retry 1 of 2 in \\d.\\d s: ${said} Service Unavailable, and asked to wait 1 s$`,
      ),
    ])
  })

  test('is not asked again with `retries: 0`; otherwise no more than that, and the problem says how often', async () => {
    const rule = { operation: ['upload', 'manifest'], effect: LIMITED } as const
    const none = await push(rule, { inputs: { retries: '0' } })
    expect([none.code, retriesIn(none)]).toEqual([1, []])
    const once = await push(rule, { inputs: { retries: '1' } })
    expect([once.code, retriesIn(once).length, listed(once)]).toEqual([1, 1, [[], ['one']]])
    expect(once.errors).toEqual([expect.stringMatching(/too many requests.*It was tried 2 times\./)])
  })

  test('is not asked again for what it refuses', async () => {
    const run = await push({ operation: 'upload', effect: { kind: 'forbidden' } })
    expect([run.code, retriesIn(run)]).toEqual([1, []])
  })

  test('a run that is cancelled meanwhile waits no longer', async () => {
    const cancel = new AbortController()
    let cancelled = 0
    const run = await push(
      { operation: ['upload', 'manifest'], effect: { ...LIMITED, retryAfter: 50 } },
      {
        signal: cancel.signal,
        onLog: (text) => {
          if (!text.includes('↻')) return
          cancelled = performance.now()
          cancel.abort()
        },
      },
    )
    expect(performance.now() - cancelled).toBeLessThan(8_000)
    expect([run.code, run.errors]).toEqual([1, [expect.stringContaining('cancelled')]])
  })
})
