/**
 * Mutates example projects at random and asks the engine each time: wherever it carried out a step again, or the image
 * differs, the fingerprint must differ.
 */
import { UserError } from '../../src/errors.ts'
import { reasonsOf } from '../../src/plan/compare.ts'
import type { TargetPrint } from '../../src/plan/target-print.ts'
import { Random } from './random.ts'
import { CONFIG_MUTATIONS, INSTRUCTION_MUTATIONS, TEXT_MUTATIONS } from './sound-dockerfile-mutations.ts'
import { EXAMPLES, type SoundExample } from './sound-examples.ts'
import { BuildFailed, type Outcome, type SoundLab } from './sound-lab.ts'
import {
  DISK_MUTATIONS,
  FILE_MUTATIONS,
  IGNORE_MUTATIONS,
  INPUT_MUTATIONS,
  UNREAD_MUTATIONS,
  type Mutation,
} from './sound-mutations.ts'
import type { Variant } from './sound-project.ts'

/** One mutation that the engine accepted. */
export interface Trial {
  readonly number: number
  readonly example: string
  readonly kind: string
  /** What the engine did otherwise: `ran STEP`, `config`, `layers`, `annotations`, `attestations`. */
  readonly differences: readonly string[]
  readonly changed: boolean
  /** Why it changed, as the plan would tell. */
  readonly reasons: readonly string[]
}

export interface Wrong extends Trial {
  readonly before: Variant
  readonly now: Variant
  /** Of the image, before and now. */
  readonly images: readonly [Outcome['image'], Outcome['image']]
}

export interface Soundness {
  readonly trials: readonly Trial[]
  /** By kind: what neither the action nor the engine would build. */
  readonly refused: ReadonlyMap<string, number>
  /** The engine did otherwise and the fingerprint was the same. */
  readonly wrong: readonly Wrong[]
}

export interface SoundnessOptions {
  readonly mutations: number
  readonly seed: number
  /** Only kinds of mutations whose names match. */
  readonly only?: RegExp | undefined
  readonly onTrial?: (trial: Trial) => void
  readonly onRefused?: (kind: string, message: string) => void
}

/** How many mutations follow one another before a fresh project begins. */
const WALK = 12

const POOLS: readonly (readonly [weight: number, pool: readonly Mutation[]])[] = [
  [18, FILE_MUTATIONS],
  [12, DISK_MUTATIONS],
  [10, UNREAD_MUTATIONS],
  [10, IGNORE_MUTATIONS],
  [18, INPUT_MUTATIONS],
  [16, TEXT_MUTATIONS],
  [16, INSTRUCTION_MUTATIONS],
  [5, CONFIG_MUTATIONS],
]

export async function runSoundness(lab: SoundLab, options: SoundnessOptions): Promise<Soundness> {
  const random = new Random(options.seed)
  const pools = poolsOf(options.only)
  const trials: Trial[] = []
  const refused = new Map<string, number>()
  const wrong: Wrong[] = []
  for (let round = 0; trials.length < options.mutations; round++) {
    const example = EXAMPLES[round % EXAMPLES.length]
    if (example === undefined) throw new Error('no examples')
    let variant = example.variant(String(round))
    // A full attestation tells more than the image depends on.
    if (round % 3 === 2) variant.inputs['provenance'] = ['mode=max']
    await lab.begin(variant)
    let before = await lab.build(variant, example.target)
    for (let step = 0; step < WALK && trials.length < options.mutations; step++) {
      const drawn = draw(variant, random, pools)
      if (drawn === undefined) break
      const outcome = await tried(lab, example, drawn)
      if (typeof outcome === 'string') {
        refused.set(drawn.kind, (refused.get(drawn.kind) ?? 0) + 1)
        options.onRefused?.(drawn.kind, outcome)
        await lab.write(variant)
        // A draft that was refused half-way leaves the directory in doubt.
        before = await lab.build(variant, example.target)
        continue
      }
      const trial = judge({ number: trials.length, example: example.name, kind: drawn.kind }, before, outcome)
      if (!trial.changed && trial.differences.length > 0 && (await isWrong(lab, { example, variant, drawn }))) {
        wrong.push({ ...trial, before: variant, now: drawn.draft, images: [before.image, outcome.image] })
      }
      trials.push(trial)
      options.onTrial?.(trial)
      variant = drawn.draft
      before = outcome
    }
  }
  return { trials, refused, wrong }
}

interface Drawn {
  readonly kind: string
  readonly draft: Variant
  readonly after: ((lab: SoundLab) => Promise<void>) | undefined
}

type Pools = typeof POOLS

function poolsOf(only: RegExp | undefined): Pools {
  if (only === undefined) return POOLS
  const pools = POOLS.map(([weight, pool]) => [weight, pool.filter(({ kind }) => only.test(kind))] as const)
  return pools.filter(([, pool]) => pool.length > 0)
}

/** Undefined where nothing fits the variant. */
function draw(variant: Variant, random: Random, pools: Pools): Drawn | undefined {
  for (let attempt = 0; attempt < 500; attempt++) {
    let at = random.below(pools.reduce((sum, [weight]) => sum + weight, 0))
    const pool = pools.find(([weight]) => (at -= weight) < 0)?.[1] ?? []
    const mutation = random.pick(pool)
    const draft = structuredClone(variant)
    const change = mutation?.change(draft, random) ?? false
    if (mutation !== undefined && change !== false) {
      return { kind: mutation.kind, draft, after: change === true ? undefined : change }
    }
  }
  return undefined
}

/** The outcome, or why there is none. */
async function tried(lab: SoundLab, { target }: SoundExample, { draft, after }: Drawn): Promise<Outcome | string> {
  try {
    await lab.write(draft)
    await after?.(lab)
    return await lab.build(draft, target)
  } catch (error) {
    if (error instanceof UserError || error instanceof BuildFailed) return error.message
    throw error
  }
}

function judge(
  what: Pick<Trial, 'number' | 'example' | 'kind'>,
  before: Outcome,
  { print, executed, image }: Outcome,
): Trial {
  const parts = (['config', 'layers', 'annotations', 'attestations'] as const).filter(
    (part) => before.image[part] !== image[part],
  )
  const changed = print.fingerprint === undefined || print.fingerprint !== before.print.fingerprint
  return {
    ...what,
    differences: [...executed.map((name) => `ran ${name}`), ...parts],
    changed,
    reasons: changed ? told(before.print, print) : [],
  }
}

function told(before: TargetPrint, now: TargetPrint): readonly string[] {
  const filesOf = (): undefined => undefined
  return reasonsOf({ print: before, filesOf }, { print: now, filesOf }).map(({ text }) => text)
}

/**
 * Once more, from a state in which the engine has everything: it might have lost something by itself. What it carries out even
 * when nothing at all was changed says nothing of the change: BuildKit runs a WORKDIR right after `FROM scratch` in every build.
 */
async function isWrong(
  lab: SoundLab,
  { example, variant, drawn }: { readonly example: SoundExample; readonly variant: Variant; readonly drawn: Drawn },
): Promise<boolean> {
  await lab.write(variant)
  await lab.build(variant, example.target)
  const before = await lab.build(variant, example.target)
  const again = await tried(lab, example, drawn)
  if (typeof again === 'string') return true
  const executed = again.executed.filter((name) => !before.executed.includes(name))
  const what = { number: 0, example: example.name, kind: drawn.kind }
  const { differences, changed } = judge(what, before, { ...again, executed })
  return !changed && differences.length > 0
}
