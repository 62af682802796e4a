/** Builds under faults that are drawn by lot, one after the other, with a cache that lives on from build to build. */
import type { FaultLab, Form, Trial, Variant, Verdict } from './fault-lab.ts'
import { FAULTS, type Backend } from './faults.ts'
import { Lots } from './lots.ts'

export interface Told extends Verdict {
  /** From 1. */
  readonly number: number
  /** The fault, the backend and the form. */
  readonly name: string
  readonly seconds: number
}

export interface ScheduleResult {
  readonly right: number
  readonly wrong: number
  /** Name of a fault → builds under it. */
  readonly builds: ReadonlyMap<string, number>
}

const FORMS: readonly Form[] = ['layout', 'layout', 'layout', 'push', 'load']

/** @param seed the same seed, the same faults in the same order (processes take their own time) */
export async function runSchedule(
  lab: FaultLab,
  { builds, seed, tell }: {
    readonly builds: number
    readonly seed: number
    readonly tell: (told: Told) => void
  }, // prettier-ignore
): Promise<ScheduleResult> {
  const lots = new Lots(seed)
  const seen = new Map<string, number>()
  let wrong = 0
  let variant: Variant = { deps: 0, source: 0, config: 0 }
  // Every fault comes up before one does again.
  let left: typeof FAULTS = []
  for (let number = 1; number <= builds; number++) {
    variant = nextVariant(variant, lots)
    if (left.length === 0) left = lots.shuffle(FAULTS)
    const [fault] = left
    if (fault === undefined) break
    left = left.slice(1)
    const backend: Backend = fault.on === 'any' ? lots.pick(['github', 'github', 'directory']) : fault.on
    const form = lots.pick(FORMS)
    const isWarm = lots.below(5) === 0
    const started = performance.now()
    // What is to be is built first, without any fault.
    await lab.reference(variant)
    const heal = async (): Promise<void> => {
      await lab.service.heal()
      lab.base.heal()
    }
    const begun = await fault.begin(lab, lots, backend)
    const verdict = await lab.build(variant, { trial: inBackend(lab, begun, backend), form, isWarm, heal })
    const name = `${fault.name} (${backend}, ${form}${isWarm ? ', warm' : ''})`
    seen.set(fault.name, (seen.get(fault.name) ?? 0) + 1)
    if (verdict.wrong.length > 0) wrong++
    tell({ ...verdict, number, name, seconds: (performance.now() - started) / 1_000 })
  }
  return { right: builds - wrong, wrong, builds: seen }
}

function nextVariant({ deps, source, config }: Variant, lots: Lots): Variant {
  const change = lots.below(5)
  return {
    deps: change === 0 ? lots.below(2) : deps,
    source: change <= 2 ? lots.below(4) : source,
    config: change === 3 ? lots.below(2) : config,
  }
}

function inBackend({ directory }: FaultLab, trial: Trial, backend: Backend): Trial {
  if (backend === 'github') return trial
  const inputs = { 'cache-backend': 'directory', 'cache-dir': directory, ...trial.step?.inputs }
  return { ...trial, step: { ...trial.step, inputs } }
}
