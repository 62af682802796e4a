/** `mode: cleanup` on what real runs left in the cache service, with GitHub's API beside it: both are stand-ins. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openGithubBackend } from '../../src/cache/github-backend.ts'
import { REPOSITORY, runAction, type ActionResult } from '../support/action.ts'
import { LAYOUTS, LOT, MAIN, labBuild, openLab, stepsRun, type Lab } from '../support/cache-lab.ts'
import { openColdEngine, type ColdEngine } from '../support/cold-engine.ts'
import { workspace, type Workspace } from '../support/engine.ts'
import { startGithubApi, type GithubApi, type TokenOptions } from '../support/github-api.ts'

const DAY = 24 * 60 * 60 * 1_000

let engine: ColdEngine
let lab: Lab & AsyncDisposable
let api: GithubApi
let space: Workspace
beforeAll(async () => {
  engine = await openColdEngine()
  lab = await openLab(engine)
  api = await startGithubApi({ caches: lab.service })
  // Each step makes a layer of its own, so that a pack is worth nothing when the first one changed; too large for the index.
  space = await workspace({
    Dockerfile: `FROM alpine:3.22\nCOPY a /a\nRUN ${LOT} > /one && head -c 3000000 /dev/urandom > /two\n`,
    '.dockerignore': 'out\n',
    a: '1',
  })
  api.repository.addPull({ number: 7, headSha: 'a'.repeat(40), state: 'closed' })
  api.repository.addPull({ number: 8, headSha: 'b'.repeat(40) })
  const inputs = LAYOUTS
  await labBuild(lab, space, { inputs })
  await space.write({ a: '2' })
  await labBuild(lab, space, { inputs, warm: true })
  for (const pull of [7, 8]) {
    await space.write({ a: `of pull request ${pull}` })
    await labBuild(lab, space, {
      inputs,
      warm: true,
      token: { ...MAIN, ref: `refs/pull/${pull}/merge` },
      env: { GITHUB_BASE_REF: 'main' },
    })
  }
  await saveForeign()
}, 600_000)
afterAll(async () => {
  await space[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
  await engine[Symbol.asyncDispose]()
})

/** An entry of another action, by the real client. */
async function saveForeign(): Promise<void> {
  await using folder = await workspace({})
  const root = folder.directory
  const backend = openGithubBackend({
    root,
    env: { ...process.env, ...lab.service.env(MAIN) },
    clientPath: join(REPOSITORY, 'dist/cache-client.js'),
  })
  await mkdir(join(root, 'files'))
  await writeFile(join(root, 'files/file'), 'somebody else’s')
  expect(await backend.save({ key: 'node-cache-linux-x64-npm', path: 'files', timeoutMs: 20_000 })).toEqual({
    kind: 'saved',
  })
  await backend.close()
}

async function cleanUp(
  inputs: Readonly<Record<string, string>>,
  token: TokenOptions = { actions: 'write' },
): Promise<ActionResult> {
  await using empty = await workspace({})
  return await runAction({
    workspace: empty.directory,
    inputs: { mode: 'cleanup', 'github-token': api.token(token), ...inputs },
    env: {
      ...lab.service.env(MAIN),
      GITHUB_REF: MAIN.ref,
      GITHUB_REPOSITORY: 'org/repo',
      GITHUB_API_URL: api.url,
      GITHUB_ACTIONS: 'true',
    },
  })
}

/** What there is, by branch: `index`, `pack`, or the key of what is not ours. */
function there(): readonly string[] {
  return lab.service
    .stats()
    .entries.map(({ scope, key }) => `${scope} ${/^sb1-(index|pack)-/.exec(key)?.[1] ?? key}`)
    .sort()
}

const PULL_7 = ['refs/pull/7/merge index', 'refs/pull/7/merge pack']
const OTHERS = ['refs/heads/main node-cache-linux-x64-npm', 'refs/pull/8/merge index', 'refs/pull/8/merge pack']
const MAIN_ALL = ['index', 'index', 'pack', 'pack'].map((kind) => `refs/heads/main ${kind}`)

describe('mode: cleanup', () => {
  test('tells, and deletes nothing, unless it is told to', async () => {
    const before = there()
    expect(before).toEqual([...MAIN_ALL, ...PULL_7, ...OTHERS].sort())
    const { code, stdout, summary } = await cleanUp({})
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /2 of 8 entries of the layer cache \(.* MB\) are of no use; nothing was deleted: set `dry-run: false`/,
    )
    expect(summary.match(/pull request 7 is closed/g)).toHaveLength(2)
    expect(summary).not.toContain('npm')
    expect(there()).toEqual(before)
  })

  test('may not do what the token may not', async () => {
    const { code, annotations } = await cleanUp({ 'dry-run': 'false' }, { actions: 'read' })
    expect([code, annotations.map(({ message }) => message)]).toEqual([
      1,
      [
        expect.stringMatching(
          /could not be deleted: GitHub answered 403: .*Give the job `permissions: actions: write`/,
        ),
      ],
    ])
    const blind = await cleanUp({}, { actions: 'none' })
    expect([blind.code, blind.annotations[0]?.message]).toEqual([1, expect.stringContaining('could not be listed')])
  })

  test('deletes what is of no use, and the next build still finds everything', async () => {
    expect((await cleanUp({ 'dry-run': 'false' })).stdout).toContain('2 deleted')
    expect(there()).toEqual([...MAIN_ALL, ...OTHERS].sort())

    // Four days later the first index of main is of no use, and the layers that only it names.
    api.repository.agedMs = () => 4 * DAY
    const { code, summary, stdout } = await cleanUp({ 'dry-run': 'false' })
    expect([code, stdout]).toEqual([0, expect.stringContaining('2 of 6 entries')])
    expect(summary).toContain('a later index stands in for it')
    expect(summary).toContain('no index names it')
    expect(there()).toEqual(['refs/heads/main index', 'refs/heads/main pack', ...OTHERS].sort())

    await space.write({ a: '2' })
    expect(stepsRun(await labBuild(lab, space, { inputs: LAYOUTS }))).toEqual({ default: 0 })
    expect((await cleanUp({})).stdout).toContain('All of the layer cache is of use')
  })

  test('where indexes cannot be read, layers stay', async () => {
    await space.write({ a: '3' })
    await labBuild(lab, space, { inputs: LAYOUTS })
    const before = there()
    const fault = lab.service.fail({ operation: 'get', effect: { kind: 'status', status: 500 } })
    const { code, summary } = await cleanUp({ 'dry-run': 'false' })
    await lab.service.heal()
    expect([code, fault.hits() > 0]).toEqual([0, true])
    expect(summary).toContain('could not be read&#58; the layers of what they are about stay')
    expect(there().filter((name) => name.endsWith('pack'))).toEqual(before.filter((name) => name.endsWith('pack')))
  })
})
