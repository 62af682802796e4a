/**
 * Builds under faults: a small project whose images have the same content whenever and however they are built, the action
 * with its layer cache in GitHub's service or in a directory, and a check that what came out is those images.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runProcess } from '../../src/process.ts'
import { runAction, type ActionResult } from './action.ts'
import { actionOptions, LAYOUTS, labStep, type Lab, type LabRun, type LabStep } from './cache-lab.ts'
import { startCacheService, type CacheService } from './cache-service.ts'
import type { ColdEngine } from './cold-engine.ts'
import { rigRegistry, workspace, type Workspace } from './engine.ts'
import { contentOf, contentOfLoaded, contentOfPushed } from './image-content.ts'
import { startRegistry, type TestRegistry } from './registry.ts'
import { killStep, type Victims } from './step-processes.ts'
import { startThrottledProxy, type ThrottledProxy } from './throttled-registry.ts'

/** What of the project differs from build to build. */
export interface Variant {
  readonly deps: number
  readonly source: number
  readonly config: number
}

/** Where images go: `layout` is a directory, which needs no engine afterwards. */
export type Form = 'layout' | 'push' | 'load'

/** How a build is made to fail. */
export interface Trial {
  /** What the step is given besides. */
  readonly step?: LabStep
  /** Bytes of the disk that RUNNER_TEMP is on. */
  readonly disk?: number | undefined
  /** At the same time: a run for each target, or two that do the same. */
  readonly together?: 'legs' | 'twins'
  /** Ends the processes once the log so far says so; then the next run must be right. */
  readonly kill?: { readonly victims: Victims; readonly when: (log: string) => boolean }
  /** Checked afterwards. @returns what is wrong */
  readonly check?: () => Promise<readonly string[]>
}

export interface Verdict {
  /** What is wrong; empty where all is as it should be. */
  readonly wrong: readonly string[]
  readonly warnings: readonly string[]
  /** The end of the logs. */
  readonly log: string
  /** Processes that were killed. */
  readonly killed: number
}

const TARGETS = ['prod', 'debug'] as const
const IMAGE = 'alpine:3.22'

const DOCKERFILE = `FROM ${IMAGE} AS deps
WORKDIR /deps
COPY deps.txt .
RUN i=0; while [ $i -lt 3000 ]; do echo "$i $(cat deps.txt)"; i=$((i+1)); done > big.txt
FROM deps AS build
COPY bulk* /bulk/
COPY src /src
RUN cat /src/a.txt big.txt > /out.txt && head -c 400000 /dev/zero > /zero
FROM ${IMAGE} AS prod
COPY --from=build /out.txt /zero /app/
COPY --from=build /bulk /bulk
RUN md5sum /app/out.txt > /app/sum
ENV CONFIG=@CONFIG@
FROM build AS debug
RUN echo debug > /debug
CMD ["cat", "/out.txt"]
`

/** Half a megabyte that cannot be compressed, for each `deps`: a small disk is full of it. */
const BULK = [randomBytes(300_000).toString('base64'), randomBytes(300_000).toString('base64')]

export class FaultLab implements Lab, AsyncDisposable {
  readonly engine: ColdEngine
  readonly service: CacheService
  /** The registry of the base image. */
  readonly base: ThrottledProxy
  /** The cache of those builds that have it in a directory. */
  readonly directory: string
  readonly #target: TestRegistry
  readonly #folder: string
  readonly #references = new Map<string, Readonly<Record<string, string>>>()

  private constructor(parts: {
    readonly engine: ColdEngine
    readonly service: CacheService
    readonly base: ThrottledProxy
    readonly target: TestRegistry
    readonly folder: string
  }) {
    this.engine = parts.engine
    this.service = parts.service
    this.base = parts.base
    this.#target = parts.target
    this.#folder = parts.folder
    this.directory = join(parts.folder, 'cache')
  }

  static async open(engine: ColdEngine): Promise<FaultLab> {
    const [service, base, target] = await Promise.all([
      startCacheService(),
      startThrottledProxy({ target: rigRegistry() }),
      startRegistry(),
    ])
    return new FaultLab({ engine, service, base, target, folder: await mkdtemp(join(tmpdir(), 'fault-lab-')) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await this.base[Symbol.asyncDispose]()
    await this.#target.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Builds a variant under a fault, and looks at what came of it. `heal` ends the fault. */
  async build(
    variant: Variant,
    { trial, form, isWarm, heal }: {
      readonly trial: Trial
      readonly form: Form
      readonly isWarm: boolean
      readonly heal: () => Promise<void>
    }, // prettier-ignore
  ): Promise<Verdict> {
    const { kill, ...rest } = trial
    if (!isWarm) await this.engine.chill()
    const legs = trial.together === 'legs' ? TARGETS.map((name) => [name]) : trial.together === 'twins' ? [TARGETS, TARGETS] : [TARGETS] // prettier-ignore
    const names = kill === undefined ? legs : []
    let killed = 0
    const verdicts = [
      ...(await Promise.all(names.map(async (leg) => await this.#judge(variant, leg, { trial, form })))),
    ]
    if (kill !== undefined) {
      const ended = await this.#killed(variant, trial, kill)
      killed = ended.killed
      await heal()
      await this.engine.chill()
      const next = await this.#judge(variant, TARGETS, { trial: rest, form })
      verdicts.push({ ...next, log: `${ended.log}\n--- the next run\n${next.log}` })
    }
    await heal()
    return {
      wrong: [...verdicts.flatMap(({ wrong }) => wrong), ...((await trial.check?.()) ?? [])],
      warnings: verdicts.flatMap(({ warnings }) => warnings),
      log: verdicts.map(({ log }) => log).join('\n--- beside it\n'),
      killed,
    }
  }

  /** What the images of a variant hold when nothing is cached. */
  async reference(variant: Variant): Promise<Readonly<Record<string, string>>> {
    const key = JSON.stringify(variant)
    const known = this.#references.get(key)
    if (known !== undefined) return known
    await using space = await project(variant)
    const run = await labStep(
      this,
      space,
      this.#step('layout', TARGETS, { inputs: { cache: 'off', 'no-cache': 'true' } }),
    )
    if (run.main.code !== 0) throw new Error(`the reference cannot be built:\n${run.log}`)
    const images = await this.#images('layout', TARGETS, space)
    this.#references.set(key, images)
    return images
  }

  async #judge(
    variant: Variant,
    names: readonly string[],
    { trial, form }: { readonly trial: Trial; readonly form: Form },
  ): Promise<Omit<Verdict, 'killed'>> {
    const expected = await this.reference(variant)
    await using space = await project(variant)
    await using disk = await smallDisk(this.#folder, trial.disk)
    const given = disk === undefined ? trial.step : { ...trial.step, runnerTemp: disk.directory }
    let run: LabRun
    try {
      run = await labStep(this, space, this.#step(form, names, given))
    } catch (error) {
      return { wrong: [String(error)], warnings: [], log: '' }
    }
    const { main, warnings, log } = run
    if (main.code !== 0) return { wrong: [`main ended with ${String(main.code)}`], warnings, log: tail(log) }
    const images = await this.#images(form, names, space)
    const differing = names.filter((name) => images[name] !== expected[name])
    return {
      wrong: [
        ...(warnings.length <= 1 ? [] : [`${warnings.length} warnings`]),
        ...differing.map((name) => `${name} is\n${String(images[name])}\nand should be\n${String(expected[name])}`),
      ],
      warnings,
      log: tail(log),
    }
  }

  /** Runs the steps as far as they come. */
  async #killed(
    variant: Variant,
    { step }: Trial,
    { victims, when }: NonNullable<Trial['kill']>,
  ): Promise<{ readonly log: string; readonly killed: number }> {
    await using space = await project(variant)
    const runnerTemp = await mkdtemp(join(this.#folder, 'killed-'))
    let log = ''
    const onLog = (text: string): void => {
      log += text
    }
    const options = actionOptions(this, space, { ...this.#step('layout', TARGETS, step), runnerTemp, onLog })
    let killed = 0
    const watched = async (running: Promise<ActionResult>): Promise<ActionResult> => {
      let isOver = false
      const over = running.finally(() => {
        isOver = true
      })
      const watch = async (): Promise<void> => {
        while (!isOver && killed === 0) {
          if (when(log)) killed += await killStep(runnerTemp, victims)
          await delay(10)
        }
      }
      const [result] = await Promise.all([over, watch()])
      return result
    }
    const main = await watched(runAction(options))
    // No post step on a machine that is gone.
    if (victims !== 'all' || killed === 0) await watched(runAction({ ...options, state: main.state }))
    // A runner ends what a job leaves behind.
    await killStep(runnerTemp, 'all')
    await rm(runnerTemp, { recursive: true, force: true })
    return { log: tail(log), killed }
  }

  #step(form: Form, names: readonly string[], given: LabStep = {}): LabStep {
    const tags = `${form === 'push' ? `${this.#target.host}/soak` : 'soak'}/{target}:latest`
    const forms: Readonly<Record<Form, Readonly<Record<string, string>>>> = {
      layout: LAYOUTS,
      push: { tags, push: 'true', provenance: 'mode=max' },
      load: { tags, load: 'true', provenance: 'false' },
    }
    const inputs = { targets: names.join(','), 'external-images': `${IMAGE}=${this.base.host}/library/${IMAGE}` }
    return { ...given, inputs: { ...inputs, ...forms[form], ...given.inputs } }
  }

  async #images(form: Form, names: readonly string[], space: Workspace): Promise<Readonly<Record<string, string>>> {
    const read = {
      layout: async (name: string) => await contentOf(space.path('out', name)),
      push: async (name: string) => await contentOfPushed(`${this.#target.host}/soak/${name}:latest`),
      load: async (name: string) => await contentOfLoaded(`soak/${name}:latest`),
    }[form]
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)] as const)))
  }
}

async function project({ deps, source, config }: Variant): Promise<Workspace> {
  return await workspace({
    Dockerfile: DOCKERFILE.replace('@CONFIG@', String(config)),
    'deps.txt': `dependencies ${deps}\n`,
    [`bulk${deps}`]: BULK[deps] ?? '',
    'src/a.txt': `source ${source}\n`,
  })
}

/** A disk of this many bytes; undefined without. @throws when it cannot be mounted */
async function smallDisk(
  folder: string,
  bytes: number | undefined,
): Promise<(AsyncDisposable & { readonly directory: string }) | undefined> {
  if (bytes === undefined) return undefined
  const directory = join(folder, `disk-${randomBytes(4).toString('hex')}`)
  await mkdir(directory)
  const { code, stderr } = await runProcess('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory])
  if (code !== 0) throw new Error(`no small disk: ${stderr}`)
  return {
    directory,
    [Symbol.asyncDispose]: async () => {
      await runProcess('umount', [directory])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function tail(log: string): string {
  return log.split('\n').slice(-60).join('\n')
}
