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
      files=$(ls $d | tr '\\n' +); touch $d/uses; \\
      echo "USES $d $(wc -l < $d/uses) $(stat -c %u:%g:%a $d) [$files]"; echo use >> $d/uses; \\
      if [ -e $d/old ]; then cat $d/old; else touch -d @1700000000 $d/old $d/unused; fi; \\
    done
FROM deps AS app
COPY source.txt .
RUN --mount=type=cache,id=/root/.cache/plain,target=/elsewhere wc -l < /elsewhere/uses > /uses; cat source.txt >> /uses
`

function uses({ main }: LabRun): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...main.stdout.matchAll(/USES (\S+) (\d+ \S+) \[/gm)].map(([, path = '', text = '']) => [path, text]),
  )
}

/** Names in the mount `owned`, before the step used it. */
function files({ main }: LabRun): readonly string[] {
  const [, names = ''] = /USES \/srv\/cache \d+ \S+ \[([^\]]*)\]/.exec(main.stdout) ?? []
  return names.split('+').filter((name) => name !== '')
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
    expect(files(second)).toEqual(['old', 'unused', 'uses'])
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
    const third = await install({ token: pull, env })
    expect(uses(third)['/srv/cache']).toBe(`2 ${OWNED}`)
    // Of two files that were last used long ago only one was read since.
    expect(files(third)).toEqual(['old', 'uses'])
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

/** As their makers recommend it; each log line that is looked at begins with the tool's name. */
const TOOLS = `FROM golang:1.24 AS go
WORKDIR /src
ENV HOME=/root
COPY go .
RUN --mount=type=cache,target=/root/.cache/go-build go build -v -o /app . 2>&1 | sed 's/^/GO /'
FROM debian:trixie-slim AS apt
RUN rm -f /etc/apt/apt.conf.d/docker-clean; echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/keep-cache
COPY version.txt .
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \\
    apt-get update -qq && apt-get install -y --no-install-recommends hello | sed 's/^/APT /'
FROM node:22 AS npm
WORKDIR /app
COPY npm .
COPY version.txt .
RUN npm pack --silent ./dependency
RUN --mount=type=cache,target=/root/.npm node install.mjs
`

/** A registry of one package, for the time of one \`npm ci\`: it tells whether the package was asked for. */
const INSTALL = `import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const tarball = readFileSync('dependency-1.0.0.tgz')
const integrity = 'sha512-' + createHash('sha512').update(tarball).digest('base64')
const resolved = 'http://127.0.0.1:4873/dependency/-/dependency-1.0.0.tgz'
const app = { name: 'app', version: '1.0.0', dependencies: { dependency: '1.0.0' } }
writeFileSync('package.json', JSON.stringify(app))
const packages = { '': app, 'node_modules/dependency': { version: '1.0.0', resolved, integrity } }
writeFileSync('package-lock.json', JSON.stringify({ ...app, lockfileVersion: 3, requires: true, packages }))
let asked = 0
const server = createServer((request, response) => { asked++; response.end(tarball) }).listen(4873, '127.0.0.1')
const options = ['ci', '--no-audit', '--no-fund', '--registry=http://127.0.0.1:4873/']
spawn('npm', options, { stdio: 'inherit' }).on('exit', (code) => {
  console.log('NPM asked ' + asked)
  server.close()
  process.exitCode = code
})
`

test('Go compiles, apt and npm fetch only what is new', async () => {
  await using lab = await openLab(engine)
  await using space = await workspace({
    Dockerfile: TOOLS,
    'go/go.mod': 'module example.com/app\n\ngo 1.22\n',
    'go/main.go': 'package main\n\nimport "example.com/app/inner"\n\nfunc main() { println(inner.Text) }\n',
    'go/inner/inner.go': 'package inner\n\nconst Text = "1"\n',
    'npm/install.mjs': INSTALL,
    'npm/dependency/package.json': '{ "name": "dependency", "version": "1.0.0" }',
    'version.txt': '1',
  })
  const said = ({ main }: LabRun, tool: string): readonly string[] =>
    [...main.stdout.matchAll(new RegExp(`\\b${tool} (\\w.*)$`, 'gm'))].map(([, line = '']) => line)
  const inputs = { targets: 'all' }
  const first = await labBuild(lab, space, { inputs })
  expect(said(first, 'GO')).toEqual(expect.arrayContaining(['runtime', 'example.com/app/inner', 'example.com/app']))
  expect(said(first, 'APT').filter((line) => line.startsWith('Need to get'))).not.toEqual([])
  expect(said(first, 'NPM')).toEqual(['asked 1'])
  await space.write({ 'go/main.go': 'package main\n\nfunc main() { println("2") }\n', 'version.txt': '2' })
  const second = await labBuild(lab, space, { inputs })
  expect(said(second, 'GO')).toEqual(['example.com/app'])
  expect(said(second, 'APT')).toContainEqual(expect.stringMatching(/^Need to get 0 B\//))
  expect(said(second, 'NPM')).toEqual(['asked 0'])
}, 300_000)
