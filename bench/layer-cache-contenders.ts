/** What is compared: stage-build, what users have today (bake with `type=gha`), and a build without any cache. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runAction, type ActionResult } from '../__tests__/support/action.ts'
import { cacheToken } from '../__tests__/support/cache-token.ts'
import { runProcess } from '../src/process.ts'
import { ResidentSampler, type Resident } from './layer-cache-resident.ts'
import type { RigAddresses } from './rigs-main.ts'

export type Contender = 'stage-build' | 'gha' | 'none'

export const CONTENDERS: readonly Contender[] = ['stage-build', 'gha', 'none']

export interface BuildOrder {
  readonly directory: string
  readonly targets: readonly string[]
  /** `refs/heads/main`; other branches read the default branch's cache, too. */
  readonly ref: string
  /** Repository that images are pushed to, one name per target under it; undefined: nothing is pushed. */
  readonly repository: string | undefined
  readonly rigs: RigAddresses
  /** Called with each line of the log and the milliseconds since the start. */
  readonly onLine: (ms: number, line: string) => void
  /** Whether the action logs all that it does, which takes time. */
  readonly debug: boolean
}

export interface BuildTime {
  /** Main and post step. */
  readonly seconds: number
  readonly postSeconds: number
  readonly resident: Resident
  /** Warnings that a user would read. */
  readonly warnings: readonly string[]
}

const DEFAULT_REF = 'refs/heads/main'

/** Builds and pushes the targets. @throws when the build fails */
export async function runContender(contender: Contender, order: BuildOrder): Promise<BuildTime> {
  const temp = await mkdtemp(join(tmpdir(), 'stage-build-bench-'))
  using sampler = new ResidentSampler()
  try {
    const times = contender === 'stage-build' ? await action(temp, order) : await bake(contender, temp, order)
    return { ...times, resident: sampler.highest() }
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

type Times = Omit<BuildTime, 'resident'>

async function action(temp: string, order: BuildOrder): Promise<Times> {
  const { directory, targets, ref, repository, rigs, onLine, debug } = order
  const runnerTemp = join(temp, 'runner')
  await mkdir(runnerTemp)
  const event = join(temp, 'event.json')
  await writeFile(event, JSON.stringify({ repository: { default_branch: 'main' } }))
  const started = performance.now()
  const options = {
    workspace: directory,
    runnerTemp,
    env: {
      ...{ GITHUB_EVENT_PATH: event, GITHUB_REF: ref, RUNNER_DEBUG: debug ? '1' : undefined },
      // A fresh runner remembers nothing of base images.
      XDG_CACHE_HOME: join(temp, 'user-cache'),
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: rigs.service,
      ACTIONS_RUNTIME_TOKEN: tokenFor(ref),
    },
    onLog: lines(started, onLine),
  }
  const outputs: Readonly<Record<string, string>> =
    repository === undefined ? {} : { outputs: outputOf('{target}', repository, rigs) }
  const inputs = { targets: targets.join(','), ...outputs }
  const main = await runAction({ ...options, inputs })
  check(main)
  const between = performance.now()
  const post = await runAction({ ...options, inputs, state: main.state })
  check(post)
  const ended = performance.now()
  for (const line of main.summary.split('\n')) onLine(ended - started, `summary: ${line}`)
  return {
    seconds: (ended - started) / 1_000,
    postSeconds: (ended - between) / 1_000,
    warnings: [...main.annotations, ...post.annotations].map(({ message }) => message),
  }
}

function check({ code, stdout, stderr }: ActionResult): void {
  if (code !== 0) throw new Error(`stage-build failed:\n${stdout}${stderr}`)
}

async function bake(contender: 'gha' | 'none', temp: string, order: BuildOrder): Promise<Times> {
  const { directory, targets, ref, repository, rigs, onLine } = order
  const cacheOf = (target: string): object => {
    if (contender === 'none') return {}
    const line = `type=gha,version=2,scope=${target},url_v2=${rigs.service},token=${tokenFor(ref)}`
    return { 'cache-from': [line], 'cache-to': [`${line},mode=max`] }
  }
  const definition = {
    group: { default: { targets } },
    target: Object.fromEntries(
      targets.map((target) => [
        target,
        {
          context: directory,
          target,
          output: [repository === undefined ? 'type=cacheonly' : outputOf(target, repository, rigs)],
          ...cacheOf(target),
        },
      ]),
    ),
  }
  const file = join(temp, 'bake.json')
  await writeFile(file, JSON.stringify(definition))
  const started = performance.now()
  let log = ''
  const onText = lines(started, onLine)
  const args = ['buildx', 'bake', '--file', file, '--progress=plain', `--allow=fs.read=${directory}`]
  const { code } = await runProcess('docker', args, {
    onStderr: (text) => {
      log += text
      onText(text)
    },
  })
  if (code !== 0) throw new Error(`bake failed:\n${log}`)
  const warnings = log.split('\n').filter((line) => /\b429\b|rate limit|cache export.*(?:error|fail)/i.test(line))
  return { seconds: (performance.now() - started) / 1_000, postSeconds: 0, warnings }
}

/**
 * Pushed and not kept in the engine, as with the builder that docker/setup-buildx-action makes. (The engine's own builder
 * would unpack each image into its store, which takes longer than everything else here, the same for all.)
 */
function outputOf(target: string, repository: string, { pushed }: RigAddresses): string {
  return `type=image,push=true,store=false,name=${pushed}/${repository}/${target}:latest`
}

function tokenFor(ref: string): string {
  return cacheToken({ ref, defaultRef: DEFAULT_REF })
}

/** Cuts a log into lines with their time. */
function lines(started: number, onLine: BuildOrder['onLine']): (text: string) => void {
  let rest = ''
  return (text) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) onLine(performance.now() - started, part)
  }
}
