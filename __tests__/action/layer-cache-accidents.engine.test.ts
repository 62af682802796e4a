/**
 * What may happen to a run with the layer cache besides a failing service: others at the same time, its end at any moment,
 * a full disk, base images' registries that fail, a builder that does not reach it. Every image is right, and the next
 * run's, too.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runProcess } from '../../src/process.ts'
import { runAction } from '../support/action.ts'
import { startApartEngine } from '../support/apart-engine.ts'
import {
  actionOptions,
  labBuild,
  labRun,
  LAYOUTS,
  labStep,
  openLab,
  type Lab,
  type LabRun,
} from '../support/cache-lab.ts'
import { openColdEngine, type ColdEngine } from '../support/cold-engine.ts'
import { docker, rigRegistry, workspace, type Workspace } from '../support/engine.ts'
import { contentOf } from '../support/image-content.ts'
import { ALL, built, faultProject, INPUTS, NONE, stagesRun, uncached } from '../support/fault-project.ts'
import type { FaultEffect } from '../support/cache-faults.ts'
import { published } from '../support/published.ts'
import { killStep } from '../support/step-processes.ts'
import { startThrottledProxy } from '../support/throttled-registry.ts'

let engine: ColdEngine
beforeAll(async () => {
  engine = await openColdEngine()
}, 600_000)
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
})

const asRoot = process.getuid?.() === 0 ? test : test.skip
const inputs = INPUTS

/** A run on a fresh runner that must do well: of which stages it carried steps out. */
async function next(lab: Lab, space: Workspace): Promise<readonly string[]> {
  const run = await labRun(lab, space, { inputs })
  expect([run.main.code, run.warnings]).toEqual([0, []])
  expect(await built(space)).toEqual(await uncached(space))
  return stagesRun(run)
}

/** Processes that work in a folder. */
async function workingIn(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const places = await Promise.all(pids.map(async (pid) => await readlink(`/proc/${pid}/cwd`).catch(() => '')))
  return pids.filter((_, at) => places[at]?.startsWith(folder) === true)
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await isSo()); waited += 20) {
    if (waited > 60_000) throw new Error('it does not come to pass')
    await delay(20)
  }
}

test('two legs of a matrix save at once: each has its own cache afterwards', async () => {
  await using lab = await openLab(engine)
  await using first = await faultProject()
  await using second = await faultProject(first)
  const legs = [[first, 'prod'], [second, 'debug']] as const // prettier-ignore
  const leg = async (place: Workspace, target: string): Promise<readonly string[]> => {
    const run = await labStep(lab, place, { inputs: { ...inputs, targets: target } })
    expect([run.main.code, run.warnings]).toEqual([0, []])
    return stagesRun(run)
  }
  await engine.chill()
  await Promise.all(legs.map(async ([place, target]) => await leg(place, target)))
  // Where several projects begin at once on a new engine BuildKit may miss what it was given to import.
  for (const [place, target] of legs) {
    await engine.chill()
    expect(await leg(place, target)).toEqual(NONE)
  }
  const reference = await uncached(first)
  expect({ ...(await built(first, ['prod'])), ...(await built(second, ['debug'])) }).toEqual(reference)
})

test('two runs that do the same at once on one engine, and one of them lost its pack', async () => {
  await using whole = await openLab(engine)
  await using broken = await openLab(engine)
  await using first = await faultProject()
  await using second = await faultProject(first)
  for (const [lab, space] of [[whole, first], [broken, second]] as const) await labRun(lab, space, { inputs }) // prettier-ignore
  await first.change()
  await second.write({ source: await readFile(first.path('source'), 'utf8') })
  await broken.service.evict(({ key }) => key.startsWith('sb1-pack-'))
  await engine.chill()
  // BuildKit makes one step of two that are equal, and takes the layers of it where it found them first.
  const runs = await Promise.all([labStep(whole, first, { inputs }), labStep(broken, second, { inputs })])
  for (const run of runs) expect([run.main.code, run.errors]).toEqual([0, []])
  for (const { warnings } of runs) expect(warnings.length).toBeLessThanOrEqual(1)
  const reference = await uncached(first)
  expect([await built(first), await built(second)]).toEqual([reference, reference])
})

test('the step is killed during an upload: nothing goes on, and the key that it took harms nobody', async () => {
  await using lab = await openLab(engine)
  await using space = await faultProject()
  const runnerTemp = await mkdtemp(join(tmpdir(), 'cache-lab-'))
  const step = actionOptions(lab, space, { inputs, runnerTemp })
  const hanging = lab.service.fail({ operation: 'put', effect: { kind: 'hang' } })
  const main = runAction(step)
  await until(() => hanging.hits() > 0)
  expect(await killStep(runnerTemp, 'step')).toBe(1)
  const { code, state } = await main
  const post = await runAction({ ...step, state })
  expect([code, post.code, post.annotations]).toEqual([null, 0, []])
  await until(async () => (await workingIn(runnerTemp)).length === 0)
  expect(lab.service.stats()).toMatchObject({ entries: [], reserved: [expect.stringMatching(/^sb1-pack-/)] })
  // As the runner does before the next job.
  await rm(runnerTemp, { recursive: true })
  await lab.service.heal()
  expect(await next(lab, space)).toEqual(ALL)
  expect(await next(lab, space)).not.toContain('deps')
})

test('the main step is killed while BuildKit exports: the post step leaves nothing, and the next run is right', async () => {
  await using lab = await openLab(engine)
  await using space = await faultProject()
  const runnerTemp = await mkdtemp(join(tmpdir(), 'cache-lab-'))
  let killing: Promise<number> | undefined
  const onLog = (text: string): void => {
    if (/::debug::(?:POST|PATCH|PUT) \/v2\/\S+\/blobs\/uploads/.test(text)) killing ??= killStep(runnerTemp, 'step')
  }
  const step = actionOptions(lab, space, { inputs, runnerTemp, env: { RUNNER_DEBUG: '1' }, onLog })
  const main = await runAction(step)
  expect([main.code, await killing]).toEqual([null, 1])
  const post = await runAction({ ...step, state: main.state })
  expect([post.code, post.annotations]).toEqual([0, []])
  // What bake was called with is the runner's to remove.
  expect(post.leftovers.filter((path) => !/^stage-build-\w{6}(?:\/\w+\.json)?$/.test(path))).toEqual([])
  await until(async () => (await workingIn(runnerTemp)).length === 0)
  await rm(runnerTemp, { recursive: true })
  await rm(space.path('out'), { recursive: true, force: true })
  expect(await next(lab, space)).toEqual(ALL)
})

asRoot('the disk for the runner’s files is full', async () => {
  await using lab = await openLab(engine)
  await using space = await faultProject()
  const runnerTemp = await mkdtemp(join(tmpdir(), 'small-disk-'))
  await rootDo('mount', '-t', 'tmpfs', '-o', 'size=160k', 'tmpfs', runnerTemp)
  let run: LabRun
  try {
    run = await labRun(lab, space, { inputs, runnerTemp })
  } finally {
    await rootDo('umount', '--lazy', runnerTemp)
    await rm(runnerTemp, { recursive: true })
  }
  const notKept = expect.stringMatching(
    /^The layer cache: new layers could not be kept \((?:the disk is almost full|ENOSPC)/,
  )
  expect([run.main.code, run.errors, run.warnings]).toEqual([0, [], [notKept]])
  expect(await built(space)).toEqual(await uncached(space))
})

test('the base image’s registry fails for layers, passed on and where BuildKit is sent there', async () => {
  await using lab = await openLab(engine)
  await using space = await faultProject()
  await using base = await startThrottledProxy({ target: rigRegistry() })
  const mapped = { ...inputs, 'external-images': `alpine:3.22=${base.host}/library/alpine:3.22` }
  const { manifests } = await published(`${rigRegistry()}/library/alpine:3.22`)
  const layers = manifests.flatMap(({ layers: all }) => all.map(({ digest }) => digest)).join('|')
  const reference = await uncached(space)
  expect((await labRun(lab, space, { inputs: mapped })).warnings).toEqual([])
  const cases: readonly (readonly [boolean, FaultEffect])[] = [
    [true, { kind: 'truncate' }],
    [true, { kind: 'status', status: 500 }],
    [false, { kind: 'truncate' }],
    [false, { kind: 'reset' }],
  ]
  for (const [isPassedOn, effect] of cases) {
    // Where it does not answer this, BuildKit is not sent there.
    if (isPassedOn) base.fail({ operation: 'probe', effect: { kind: 'status', status: 405 } })
    const fault = base.fail({ operation: 'blob', key: layers, effect, times: 1 })
    const run = await labRun(lab, space, { inputs: mapped })
    expect([effect, run.main.code, run.errors, fault.hits()]).toEqual([effect, 0, [], 1])
    expect(run.warnings.length).toBeLessThanOrEqual(1)
    expect(await built(space)).toEqual(reference)
    base.heal()
  }
})

asRoot('the builder does not reach our loopback', async () => {
  await using lab = await openLab(engine)
  await using apart = await startApartEngine()
  await using space = await workspace({
    Dockerfile: 'FROM scratch AS one\nCOPY a /one/\nFROM scratch\nCOPY --from=one /one /two/\nCOPY b /\nENV A=1\n',
    a: 'a',
    b: 'b',
  })
  await labBuild(lab, space, { inputs: LAYOUTS })
  await space.write({ b: 'changed' })
  const there = { DOCKER_HOST: apart.host }
  const run = await labRun(lab, space, { inputs: LAYOUTS, env: there })
  const unreachable = expect.stringMatching(/^The builder could not reach the registry of this step on loopback/)
  expect([run.main.code, run.errors, run.warnings]).toEqual([0, [], [unreachable]])
  const plain = `--output=type=oci,tar=false,dest=${space.path('..', 'plain')}`
  await docker('buildx', 'build', '--no-cache', '--provenance=false', plain, space.directory)
  expect(await contentOf(space.path('out/default'))).toBe(await contentOf(space.path('..', 'plain')))
  // The cache that there was is as it was.
  expect((await labBuild(lab, space, { inputs: LAYOUTS })).cached).toEqual({ default: '2 of 3' })
})

async function rootDo(program: string, ...args: readonly string[]): Promise<void> {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
  const { code, stderr } = await runProcess(program, args, { env })
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}
