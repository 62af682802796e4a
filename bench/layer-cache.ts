/**
 * The layer cache measured side by side: stage-build, bake with `type=gha`, bake without a cache; on an empty engine each
 * time, against the same slow cache service and slow registries.
 */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BenchProject, provideBase, SERVICES } from './layer-cache-project.ts'
import { CONTENDERS, runContender, type BuildTime, type Contender } from './layer-cache-contenders.ts'
import { FreshEngine, Rigs } from './layer-cache-rigs.ts'

export const SCENARIOS = {
  cold: '(a) cold, ten targets',
  unchanged: '(b) nothing changed, ten targets',
  'one-file': '(c) one source file changed, one target',
  dependencies: '(d) dependency file changed, ten targets',
  'one-of-ten': '(e) one source file changed, ten targets',
  branch: '(f) second branch, one source file changed, ten targets',
} as const

export type Scenario = keyof typeof SCENARIOS

/** One run; bytes and seconds. */
export interface Sample extends BuildTime {
  readonly contender: Contender
  readonly scenario: Scenario
  readonly bytesUp: number
  readonly bytesDown: number
  readonly calls: number
  /** What the service keeps afterwards, all branches and earlier runs included. */
  readonly stored: number
  /** From the registry of base images. */
  readonly baseBytes: number
  /** To the registry that images are pushed to. */
  readonly pushedBytes: number
}

export interface LargeSample extends BuildTime {
  readonly step: 'saved' | 'restored'
  readonly bytesUp: number
  readonly bytesDown: number
}

export interface LayerCacheOptions {
  readonly repetitions: number
  readonly contenders?: readonly Contender[] | undefined
  readonly scenarios?: readonly Scenario[] | undefined
  /** Whether 2 GB of layers are saved and restored, too. */
  readonly large: boolean
  /** Folder for the log of each run, with times; none are kept without it. */
  readonly logs?: string | undefined
}

export interface LayerCacheResult {
  readonly samples: readonly Sample[]
  readonly large: readonly LargeSample[]
}

interface Stand {
  readonly rigs: Rigs
  readonly engine: FreshEngine
  readonly options: LayerCacheOptions
}

/** @throws when a build fails, or the engine cannot be emptied */
export async function measureLayerCache(options: LayerCacheOptions): Promise<LayerCacheResult> {
  const registry = process.env['STAGE_BUILD_REGISTRY'] ?? ''
  await using engine = await FreshEngine.start()
  await provideBase(registry)
  await using rigs = await Rigs.start(registry)
  const stand = { rigs, engine, options }
  const samples: Sample[] = []
  const contenders = options.contenders ?? CONTENDERS
  for (let round = 0; round < options.repetitions; round++) {
    // Another one begins each time, so that nobody has the warm machine.
    const turn = contenders.map((_, index) => contenders[(index + round) % contenders.length] ?? 'none')
    for (const contender of turn) samples.push(...(await story(contender, round, stand)))
  }
  return { samples, large: options.large ? await saveAndRestoreLarge(stand) : [] }
}

/** The life of a repository as one contender lives it. */
async function story(contender: Contender, round: number, stand: Stand): Promise<readonly Sample[]> {
  const { rigs, options } = stand
  const samples: Sample[] = []
  const repository = `bench-${randomBytes(4).toString('hex')}`
  const isWanted = (scenario: Scenario): boolean => options.scenarios?.includes(scenario) ?? true
  const measure = async (scenario: Scenario, project: BenchProject, targets = SERVICES, ref = MAIN): Promise<void> => {
    const where = { contender, scenario, round, targets, ref, repository }
    samples.push(await measureOne(project, where, stand))
  }
  await rigs.clear()
  const others: readonly Scenario[] = ['cold', 'unchanged', 'dependencies', 'one-of-ten', 'branch']
  if (others.some(isWanted)) {
    await using project = await BenchProject.make(rigs.addresses.images)
    await measure('cold', project)
    if (isWanted('unchanged')) await measure('unchanged', project)
    await project.changeService('svc1', 2)
    if (isWanted('one-of-ten')) await measure('one-of-ten', project)
    await project.changeService('svc2', 2)
    if (isWanted('branch')) await measure('branch', project, SERVICES, 'refs/heads/feature')
    await project.changeService('svc2', 1)
    await project.changeDependencies(2)
    if (isWanted('dependencies')) await measure('dependencies', project)
  }
  if (isWanted('one-file')) {
    await rigs.clear()
    await using project = await BenchProject.make(rigs.addresses.images, ['svc1'])
    const seed = {
      contender,
      scenario: 'one-file' as const,
      round,
      targets: ['svc1'],
      ref: MAIN,
      repository: `${repository}-one`,
    }
    await measureOne(project, { ...seed, isSeed: true }, stand)
    await project.changeService('svc1', 2)
    samples.push(await measureOne(project, seed, stand))
  }
  return samples
}

const MAIN = 'refs/heads/main'

interface Where {
  readonly contender: Contender
  readonly scenario: Scenario
  readonly round: number
  readonly targets: readonly string[]
  readonly ref: string
  readonly repository: string
  /** Not a scenario of its own: what comes before one. */
  readonly isSeed?: boolean
}

async function measureOne(project: BenchProject, where: Where, { rigs, engine, options }: Stand): Promise<Sample> {
  const { contender, scenario, round } = where
  await engine.empty()
  await rigs.reset()
  const name = `${scenario}${where.isSeed === true ? '-seed' : ''}.${contender}.${round + 1}`
  const log = await openLog(options.logs, name)
  const time = await runContender(contender, {
    ...{ directory: project.directory, targets: where.targets, ref: where.ref, repository: where.repository },
    rigs: rigs.addresses,
    onLine: log.line,
    debug: options.logs !== undefined,
  })
  log.end()
  const { service, images, pushed } = await rigs.stats()
  await checkPushed(where, rigs)
  const sample: Sample = {
    ...time,
    ...{ contender, scenario, bytesUp: service.bytesUp, bytesDown: service.bytesDown, stored: service.stored },
    calls: Object.values(service.calls).reduce((sum, calls) => sum + calls, 0),
    ...{ baseBytes: images.bytesDown, pushedBytes: pushed.bytesUp },
  }
  tell(name, sample, JSON.stringify(service.calls))
  return sample
}

/** A contender that skipped the work must not win. */
async function checkPushed({ targets, repository }: Where, rigs: Rigs): Promise<void> {
  for (const target of targets) {
    const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ')
    const url = `http://${rigs.addresses.pushed}/v2/${repository}/${target}/manifests/latest`
    const answer = await fetch(url, { method: 'HEAD', headers: { accept } })
    if (!answer.ok) throw new Error(`${url} was not pushed: ${answer.status}`)
  }
}

/** 2 GB of layers, saved by a first run and needed whole by a second one. */
async function saveAndRestoreLarge({ rigs, engine, options }: Stand): Promise<readonly LargeSample[]> {
  await rigs.clear()
  await using project = await BenchProject.makeLarge(rigs.addresses.images)
  const samples: LargeSample[] = []
  for (const step of ['saved', 'restored'] as const) {
    await engine.empty()
    await rigs.reset()
    const log = await openLog(options.logs, `large-${step}`)
    const time = await runContender('stage-build', {
      ...{ directory: project.directory, targets: ['large'], ref: MAIN, repository: undefined },
      rigs: rigs.addresses,
      onLine: log.line,
      debug: options.logs !== undefined,
    })
    log.end()
    const { service, images } = await rigs.stats()
    const sample = { ...time, step, bytesUp: service.bytesUp, bytesDown: service.bytesDown }
    tell(`large-${step}`, { ...sample, baseBytes: images.bytesDown }, JSON.stringify(service.calls))
    samples.push(sample)
    await project.write('note.txt', 'two\n')
  }
  await rigs.clear()
  await engine.empty()
  return samples
}

function tell(
  name: string,
  sample: BuildTime & { bytesUp: number; bytesDown: number; baseBytes: number },
  calls: string,
): void {
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(1)
  const { seconds, postSeconds, bytesUp, bytesDown, baseBytes, resident, warnings } = sample
  const moved = `up ${mb(bytesUp)} down ${mb(bytesDown)} base ${mb(baseBytes)} MB`
  const memory = `main ${mb(resident.main)} client ${mb(resident.client)} both ${mb(resident.action)} MB`
  console.log(`${name}: ${seconds.toFixed(2)} s (post ${postSeconds.toFixed(2)}), ${moved}, ${calls}, ${memory}`)
  for (const warning of warnings) console.log(`  warning: ${warning}`)
}

async function openLog(
  folder: string | undefined,
  name: string,
): Promise<{ readonly line: (ms: number, line: string) => void; readonly end: () => void }> {
  if (folder === undefined) return { line: () => undefined, end: () => undefined }
  await mkdir(folder, { recursive: true })
  const file = createWriteStream(join(folder, `${name}.log`))
  return {
    line: (ms, line) => file.write(`${ms.toFixed(0).padStart(6)} ${line}\n`),
    end: () => file.end(),
  }
}
