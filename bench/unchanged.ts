/**
 * What it costs when nothing, or little, changed: ten targets with `push` on an empty engine, against `docker buildx bake`
 * with `type=gha`, through the same slow service and registries; and one changed target of ten as a matrix of jobs, against
 * ten jobs with `type=gha`.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runAction, type ActionResult } from '../__tests__/support/action.ts'
import { cacheToken } from '../__tests__/support/cache-token.ts'
import { runProcess } from '../src/process.ts'
import { BenchProject, provideBase, SERVICES } from './layer-cache-project.ts'
import { FreshEngine, Rigs } from './layer-cache-rigs.ts'

export const UNCHANGED_SCENARIOS = {
  'new-tag': 'nothing changed, ten targets, a new tag',
  'tags-there': 'nothing changed, ten targets, the tags are there',
  'one-of-ten': 'one source file changed, ten targets, as a matrix',
} as const

export type UnchangedScenario = keyof typeof UNCHANGED_SCENARIOS
/** `gha-light` pushes without keeping the image in the engine (`store=false`), as a builder of docker/setup-buildx-action. */
export type UnchangedContender = 'stage-build' | 'gha' | 'gha-light'

export interface UnchangedSample {
  readonly scenario: UnchangedScenario
  readonly contender: UnchangedContender
  /** Each with its post step, in seconds: one, or the jobs of a matrix. */
  readonly steps: readonly { readonly name: string; readonly seconds: number }[]
  readonly seconds: number
  /** Jobs that build. */
  readonly legs: number
  /** Of the cache service. */
  readonly calls: number
  /** Bytes of all bodies: the service's both ways, what came from registries, and what was pushed. */
  readonly service: number
  readonly read: number
  readonly pushed: number
}

export interface UnchangedOptions {
  readonly scenarios: readonly UnchangedScenario[]
  readonly repetitions: number
}

/** One try of a contender. */
interface Try {
  readonly stand: Stand
  readonly project: BenchProject
  readonly repository: string
  readonly tag: string
}

interface Stand {
  readonly rigs: Rigs
  readonly engine: FreshEngine
}

const REF = 'refs/heads/main'

/** @throws when a step fails, builds what it should not, or the engine cannot be emptied */
export async function measureUnchanged({
  scenarios,
  repetitions,
}: UnchangedOptions): Promise<readonly UnchangedSample[]> {
  const registry = process.env['STAGE_BUILD_REGISTRY'] ?? ''
  await using engine = await FreshEngine.start()
  await provideBase(registry)
  await using rigs = await Rigs.start(registry)
  const stand = { rigs, engine }
  const together = scenarios.filter((scenario) => scenario !== 'one-of-ten')
  return [
    ...(together.length === 0 ? [] : await story(together, repetitions, stand)),
    ...(scenarios.includes('one-of-ten') ? await story(['one-of-ten'], repetitions, stand) : []),
  ]
}

/** Both contenders seed their caches, and then take turns. */
async function story(
  scenarios: readonly UnchangedScenario[],
  repetitions: number,
  stand: Stand,
): Promise<readonly UnchangedSample[]> {
  const samples: UnchangedSample[] = []
  const isMatrix = scenarios.includes('one-of-ten')
  await stand.rigs.clear()
  await using project = await BenchProject.make(stand.rigs.addresses.images)
  const repository = `bench-${randomBytes(4).toString('hex')}`
  const contenders = ['gha', 'gha-light', 'stage-build'] as const
  for (const contender of contenders) {
    await stand.engine.empty()
    const where = { stand, project, repository: `${repository}-${contender}`, tag: 'seed' }
    if (contender !== 'stage-build') await bake(where, contender, SERVICES)
    else if (isMatrix) for (const target of SERVICES) await step(where, pushing(where, [target]))
    else await step(where, pushing(where, SERVICES))
    tell(`${contender}, seeded`, JSON.stringify((await stand.rigs.stats()).service.calls))
  }
  for (let round = 0; round < repetitions; round++) {
    // Another one begins each time, so that nobody has the warm machine.
    const turn = contenders.map((_, index) => contenders[(index + round) % contenders.length] ?? 'gha')
    if (isMatrix) await project.changeService('svc1', round + 2)
    for (const scenario of scenarios) {
      for (const contender of turn) {
        // In the second scenario the tags are those that the first one wrote.
        const where = { stand, project, repository: `${repository}-${contender}`, tag: `sha-${round}` }
        samples.push(await measureOne(scenario, contender, where))
      }
    }
  }
  return samples
}

async function measureOne(
  scenario: UnchangedScenario,
  contender: UnchangedContender,
  where: Try,
): Promise<UnchangedSample> {
  const { rigs, engine } = where.stand
  await engine.empty()
  await rigs.reset()
  const steps: { name: string; seconds: number }[] = []
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    const result = await work()
    steps.push({ name, seconds: (performance.now() - started) / 1_000 })
    return result
  }
  let legs = 0
  if (scenario !== 'one-of-ten') {
    await timed('build', async () => {
      if (contender !== 'stage-build') {
        await bake(where, contender, SERVICES)
        return
      }
      const { outputs, stdout } = await step(where, pushing(where, SERVICES))
      if (outputs['any-changed'] !== 'false') throw new Error(`not skipped:\n${stdout}`)
    })
  } else if (contender !== 'stage-build') {
    for (const target of SERVICES) {
      await engine.empty()
      await timed(target, async () => {
        await bake(where, contender, [target])
      })
      legs++
    }
  } else {
    const plan = await timed('plan', async () => await step(where, { ...pushing(where, SERVICES), mode: 'plan' }))
    const { include } = JSON.parse(plan.outputs['matrix'] ?? '') as {
      readonly include: readonly { readonly target: string }[]
    }
    if (include.map(({ target }) => target).join() !== 'svc1') throw new Error(`another matrix:\n${plan.stdout}`)
    for (const { target } of include) {
      await engine.empty()
      await timed(target, async () => await step(where, pushing(where, [target])))
      legs++
    }
    const inputs = { mode: 'report', plan: plan.outputs['plan'] ?? '', push: 'true' }
    await timed('report', async () => await step(where, inputs))
  }
  const { service, images, pushed } = await rigs.stats()
  await checkPushed(where)
  const sample: UnchangedSample = {
    ...{ scenario, contender, steps, legs },
    seconds: steps.reduce((sum, { seconds }) => sum + seconds, 0),
    calls: Object.values(service.calls).reduce((sum, calls) => sum + calls, 0),
    service: service.bytesUp + service.bytesDown,
    read: images.bytesDown + pushed.bytesDown,
    pushed: pushed.bytesUp,
  }
  const parts = steps.map(({ name, seconds }) => `${name} ${seconds.toFixed(2)}`).join(', ')
  tell(
    `${scenario}.${contender}`,
    `${sample.seconds.toFixed(2)} s (${parts}), ${JSON.stringify({ ...sample, steps: 0 })}`,
  )
  return sample
}

function pushing({ stand, repository, tag }: Try, targets: readonly string[]): Readonly<Record<string, string>> {
  const tags = `${stand.rigs.addresses.pushed}/${repository}/{target}:${tag}`
  return { targets: targets.join(','), tags, push: 'true' }
}

/** A step with its post step, as on a runner that has just been started. */
async function step({ stand, project }: Try, inputs: Readonly<Record<string, string>>): Promise<ActionResult> {
  const temp = await mkdtemp(join(tmpdir(), 'stage-build-bench-'))
  try {
    const runnerTemp = join(temp, 'runner')
    await mkdir(runnerTemp)
    const event = join(temp, 'event.json')
    await writeFile(event, JSON.stringify({ repository: { default_branch: 'main' } }))
    const options = {
      ...{ inputs, runnerTemp, workspace: project.directory },
      env: {
        ...{ GITHUB_EVENT_PATH: event, GITHUB_REF: REF, XDG_CACHE_HOME: join(temp, 'user-cache') },
        ACTIONS_CACHE_SERVICE_V2: 'true',
        ACTIONS_RESULTS_URL: stand.rigs.addresses.service,
        ACTIONS_RUNTIME_TOKEN: cacheToken({ ref: REF, defaultRef: REF }),
      },
    }
    const main = await runAction(options)
    const post = await runAction({ ...options, state: main.state })
    for (const { code, stdout, stderr } of [main, post])
      if (code !== 0) throw new Error(`stage-build failed:\n${stdout}${stderr}`)
    for (const { message } of [...main.annotations, ...post.annotations]) tell('warning', message)
    return main
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

/** What users have: every target with a cache of its own, and `push`, on the same builder. */
async function bake(
  { stand, project, repository, tag }: Try,
  contender: Exclude<UnchangedContender, 'stage-build'>,
  targets: readonly string[],
): Promise<void> {
  const { service, pushed } = stand.rigs.addresses
  const token = cacheToken({ ref: REF, defaultRef: REF })
  const definitions = targets.map((target) => {
    const cache = `type=gha,version=2,scope=${contender}-${target},url_v2=${service},token=${token}`
    const store = contender === 'gha-light' ? ',store=false' : ''
    const output = `type=image,push=true${store},name=${pushed}/${repository}/${target}:${tag}`
    const caches = { 'cache-from': [cache], 'cache-to': [`${cache},mode=max`] }
    return [target, { context: project.directory, target, output: [output], ...caches }] as const
  })
  const definition = { group: { default: { targets } }, target: Object.fromEntries(definitions) }
  const temp = await mkdtemp(join(tmpdir(), 'stage-build-bench-'))
  try {
    const file = join(temp, 'bake.json')
    await writeFile(file, JSON.stringify(definition))
    const args = ['buildx', 'bake', '--file', file, '--progress=plain', `--allow=fs.read=${project.directory}`]
    const { code, stderr } = await runProcess('docker', args)
    if (code !== 0) throw new Error(`bake failed:\n${stderr}`)
    const problems = stderr.split('\n').filter((line) => /\b429\b|rate limit|cache export.*(?:error|fail)/i.test(line))
    for (const line of problems) tell('warning', line)
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

/** A contender that skipped the work must not win. */
async function checkPushed({ stand, repository, tag }: Try): Promise<void> {
  for (const target of SERVICES) {
    const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ')
    const url = `http://${stand.rigs.addresses.pushed}/v2/${repository}/${target}/manifests/${tag}`
    const answer = await fetch(url, { method: 'HEAD', headers: { accept } })
    if (!answer.ok) throw new Error(`${url} was not pushed: ${answer.status}`)
  }
}

function tell(what: string, text: string): void {
  console.log(`${what}: ${text}`)
}
