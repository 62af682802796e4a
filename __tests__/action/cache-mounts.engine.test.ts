/** Cache mounts between runs, each run on a fresh runner; GitHub's service is a stand-in. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { labBuild, labRun, layout, openLab, type Lab, type LabRun, type LabStep } from '../support/cache-lab.ts'
import type { CacheService } from '../support/cache-service.ts'
import { openColdEngine, type ColdEngine } from '../support/cold-engine.ts'
import { docker, workspace, type Workspace } from '../support/engine.ts'

let engine: ColdEngine
beforeAll(async () => {
  engine = await openColdEngine()
}, 600_000)
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
})

/** Mounts of every kind; each use adds a line, and the log tells how many there were before. */
const MOUNTS = `FROM alpine:3.22 AS deps
ARG TARGETARCH
COPY lock.txt .
RUN --mount=type=cache,target=/root/.cache/plain/ \\
    --mount=type=cache,id=owned,target=/srv/cache,uid=1000,gid=1001,mode=0700,sharing=locked \\
    --mount=type=cache,id=arch-$TARGETARCH,target=/p,sharing=private \\
    --mount=type=cache,target=/ro,readonly \\
    --mount=type=cache,target=/from,from=alpine:3.22,source=/etc \\
    for d in /root/.cache/plain /srv/cache /p; do \\
      touch $d/uses && echo "USES $d $(wc -l < $d/uses) $(stat -c %u:%g:%a $d)" && echo use >> $d/uses; \\
    done
FROM deps AS app
COPY source.txt .
RUN --mount=type=cache,id=/root/.cache/plain,target=/elsewhere wc -l < /elsewhere/uses > /uses; cat source.txt >> /uses
`

function uses({ main }: LabRun): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...main.stdout.matchAll(/USES (\S+) (\d+ \S+)$/gm)].map(([, path = '', text = '']) => [path, text]),
  )
}

/** What the log tells of mounts. */
function told({ log }: LabRun): readonly string[] {
  return [...log.matchAll(/^Cache mounts: (put in|took out) .* of (\d+ mounts?) in /gm)].map(
    ([, what = '', many = '']) => `${what} ${many}`,
  )
}

const BUSY = { kind: 'status', status: 429, retryAfter: 30 } as const

const OWNED = '1000:1001:700'
const PLAIN = '0:0:755'

const INPUTS = { outputs: 'type=oci,tar=false,dest=out/{target}', provenance: 'false', targets: 'app' }

describe('cache mounts', () => {
  let lab: Lab & AsyncDisposable
  let space: Workspace
  beforeAll(async () => {
    lab = await openLab(engine)
    space = await workspace({ Dockerfile: MOUNTS, '.dockerignore': 'out\n', 'lock.txt': '1', 'source.txt': '1' })
  })
  afterAll(async () => {
    await space[Symbol.asyncDispose]()
    await lab[Symbol.asyncDispose]()
  })
  let lock = 1
  const build = async (step: LabStep = {}): Promise<LabRun> =>
    await labBuild(lab, space, { ...step, inputs: { ...INPUTS, ...step.inputs } })
  /** With another lock file. */
  const install = async (step: LabStep = {}): Promise<LabRun> => {
    await space.write({ 'lock.txt': String(++lock) })
    return await build(step)
  }

  test('what a step left in its mounts the next runner finds there, when the lock file changed', async () => {
    const first = await build()
    expect(uses(first)).toEqual({ '/root/.cache/plain': `0 ${PLAIN}`, '/srv/cache': `0 ${OWNED}`, '/p': `0 ${PLAIN}` })
    expect(told(first)).toEqual(['took out 3 mounts'])
    const second = await install()
    expect(uses(second)).toEqual({ '/root/.cache/plain': `1 ${PLAIN}`, '/srv/cache': `1 ${OWNED}`, '/p': `1 ${PLAIN}` })
    expect(told(second)).toEqual(['put in 3 mounts', 'took out 3 mounts'])
    expect(second.main.summary).toMatch(/^- Cache mount `owned`: .* of `main` were put in, .* old; .* taken out\.$/m)
    expect(second.main.summary).not.toContain('/from')
    expect(second.log).not.toContain('/from')
  }, 120_000)

  test('of steps that come from the cache are neither put in nor taken out, and are in no image', async () => {
    const unchanged = await build()
    expect(told(unchanged)).toEqual([])
    const image = await layout(space.path('out/app'))
    const without = await build({ inputs: { 'cache-mounts': 'off' } })
    expect(told(without)).toEqual([])
    expect(without.cached).toEqual(unchanged.cached)
    expect(await layout(space.path('out/app'))).toEqual(image)
    await space.write({ 'source.txt': '2' })
    const changed = await build()
    // Its step only reads one of them.
    expect(told(changed)).toEqual(['put in 1 mount'])
    expect(changed.main.summary).toContain('the build left it as it is saved')
  }, 120_000)

  test('begin with those of the base branch, which a pull request does not change', async () => {
    const pull = { ref: 'refs/pull/7/merge', baseRef: 'refs/heads/main', defaultRef: 'refs/heads/main' }
    const env = { GITHUB_BASE_REF: 'main', GITHUB_REF: pull.ref, GITHUB_EVENT_NAME: 'pull_request' }
    expect(uses(await install({ token: pull, env }))['/srv/cache']).toBe(`2 ${OWNED}`)
    expect(uses(await install({ token: pull, env }))['/srv/cache']).toBe(`3 ${OWNED}`)
  }, 120_000)

  test('that an engine kept are not overwritten by what is older, and nothing is left on it', async () => {
    const cold = await install({ inputs: { cache: 'read-only' } })
    // What the pull request left is not there for others.
    expect(uses(cold)['/srv/cache']).toBe(`2 ${OWNED}`)
    const warm = await install({ warm: true, inputs: { cache: 'read-only' } })
    expect(told(warm)).toEqual(['put in 3 mounts'])
    expect(uses(warm)['/srv/cache']).toBe(`3 ${OWNED}`)
    const records = await docker('buildx', 'du', '--verbose')
    expect(records).toContain('exec.cachemount')
    const ofHelper = records
      .split('\n\n')
      .filter((record) => /stage-build-mounts-|put-in\.sh/.test(record) && !record.includes('exec.cachemount'))
    expect(ofHelper).toEqual([])
  }, 120_000)

  test('that are too large are told of and not saved', async () => {
    const run = await install({ inputs: { 'cache-mounts-max-size': '4kB' } })
    expect(told(run)).toEqual(['put in 3 mounts'])
    const notices = run.main.annotations.filter(({ level }) => level === 'notice').map(({ message }) => message)
    expect(notices).toHaveLength(3)
    expect(notices).toContainEqual(
      expect.stringMatching(
        /^The cache mount owned holds 12 B and was not saved: `cache-mounts-max-size` is 4\.00 kB\.$/,
      ),
    )
  }, 120_000)

  test.each<[string, (service: CacheService) => unknown]>([
    ['are damaged', (service) => service.fail({ operation: 'get', effect: { kind: 'flip' }, key: '^sb1-pack-' })],
    ['cannot be asked for', (service) => service.fail({ operation: 'lookup', effect: BUSY, key: '^sb1-pack-' })],
    ['are gone', async (service) => await service.evict(({ key }) => key.startsWith('sb1-pack-'))],
  ])(
    'begin empty where their archives %s',
    async (_, begin) => {
      await space.write({ 'lock.txt': String(++lock) })
      await begin(lab.service)
      const run = await labRun(lab, space, { inputs: INPUTS })
      expect(run.main.code).toBe(0)
      expect(run.warnings.length).toBeLessThanOrEqual(1)
      expect(uses(run)['/srv/cache']).toBe(`0 ${OWNED}`)
      expect(told(run)).toEqual(['took out 3 mounts'])
    },
    120_000,
  )
})
