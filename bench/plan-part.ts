/** The figures of the plan and of skipping as rows with their bars, and as a section of the results. */
import { engineDataText } from './layer-cache-rigs.ts'
import type { Row } from './layer-cache-table.ts'
import type { Machine } from './machine.ts'
import {
  measureFilesPlan,
  measureGrowth,
  openFiles,
  openStages,
  openTargets,
  type FilesPlan,
  type Growth,
} from './plan-action.ts'
import {
  measureUnchanged,
  UNCHANGED_SCENARIOS,
  type UnchangedContender,
  type UnchangedSample,
  type UnchangedScenario,
} from './unchanged.ts'

export interface PlanFigures {
  readonly unchanged?: readonly UnchangedSample[] | undefined
  readonly matrix?: readonly UnchangedSample[] | undefined
  readonly growth?: { readonly files: FilesPlan; readonly curves: readonly Growth[] } | undefined
}

export type PlanMeasurement = keyof PlanFigures

export const PLAN_MEASUREMENTS: readonly PlanMeasurement[] = ['unchanged', 'matrix', 'growth']

/** Of the time of `type=gha`. */
const TIME_BAR = 0.3
const CALLS_BAR = 3
/** Indexes, manifests and configs are no layers; the smallest layer of the project is larger. */
const NO_LAYER_BYTES = 100_000
const STATUS_BAR = 2.5
const MEMORY_BAR = 250
/** As the exponent of a power law; what is measured varies by a tenth. */
const LINEAR_BAR = 1.1
const ROUNDS = 9
/** What is compared is a few milliseconds apart. */
const CURVE_ROUNDS = 11

export async function measurePlanPart(wanted: readonly string[], repetitions: number): Promise<PlanFigures> {
  const is = (name: PlanMeasurement): boolean => wanted.includes(name)
  return {
    ...(is('unchanged')
      ? { unchanged: await measureUnchanged({ scenarios: ['new-tag', 'tags-there'], repetitions }) }
      : {}),
    // Ten jobs a time.
    ...(is('matrix')
      ? { matrix: await measureUnchanged({ scenarios: ['one-of-ten'], repetitions: Math.min(repetitions, 2) }) }
      : {}),
    ...(is('growth') ? { growth: await measureCurves() } : {}),
  }
}

async function measureCurves(): Promise<NonNullable<PlanFigures['growth']>> {
  const rounds = CURVE_ROUNDS
  return {
    files: await measureFilesPlan(100_000, ROUNDS),
    curves: [
      await measureGrowth('files', [1_000, 10_000, 100_000], { open: openFiles, rounds }),
      await measureGrowth('stages', [10, 500, 2_000], { open: openStages, rounds }),
      await measureGrowth('targets', [1, 50, 200], { open: openTargets, rounds }),
    ],
  }
}

/** Each bar with what came out. */
export function planRows({ unchanged = [], matrix = [], growth }: PlanFigures): readonly Row[] {
  const samples = [...unchanged, ...matrix]
  const rows = scenariosOf(samples).flatMap((scenario) => {
    const [ours, theirs] = [of(samples, scenario, 'stage-build'), of(samples, scenario, 'gha')]
    const [time, bake] = [middle(ours, ({ seconds }) => seconds), middle(theirs, ({ seconds }) => seconds)]
    const ratio: Row = {
      what: `${scenario === 'one-of-ten' ? 'sum of the steps' : 'time'}, ${UNCHANGED_SCENARIOS[scenario]}`,
      value: `${(time / bake).toFixed(2)}× (${time.toFixed(2)} s to ${bake.toFixed(2)} s)`,
      bar: `≤ ${TIME_BAR.toFixed(1)}×`,
      ok: time / bake <= TIME_BAR,
    }
    if (scenario === 'one-of-ten') {
      const legs = Math.max(...ours.map((sample) => sample.legs))
      return [ratio, { what: 'jobs that build, of ten', value: String(legs), bar: '1', ok: legs === 1 }]
    }
    const calls = Math.max(...ours.map((sample) => sample.calls))
    const bytes = Math.max(...ours.map(({ service, read, pushed }) => service + read + pushed))
    return [
      ratio,
      {
        what: `service calls, ${UNCHANGED_SCENARIOS[scenario]}`,
        value: String(calls),
        bar: `≤ ${CALLS_BAR}`,
        ok: calls <= CALLS_BAR,
      },
      {
        what: `layer bytes, ${UNCHANGED_SCENARIOS[scenario]}`,
        value: bytes <= NO_LAYER_BYTES ? `0 (${kilobytes(bytes)} of indexes and manifests)` : kilobytes(bytes),
        bar: '0',
        ok: bytes <= NO_LAYER_BYTES,
      },
    ]
  })
  return growth === undefined ? rows : [...rows, ...growthRows(growth)]
}

function growthRows({ files, curves }: NonNullable<PlanFigures['growth']>): readonly Row[] {
  const ratio = files.seconds / files.status
  const together = Math.max(files.together, files.changed.together)
  const main = Math.max(files.main, files.changed.main)
  return [
    {
      what: '`mode: plan` of 100,000 files, to `git status`',
      value: `${ratio.toFixed(2)}× (${ms(files.seconds)} to ${ms(files.status)})`,
      bar: `≤ ${STATUS_BAR}×`,
      ok: ratio <= STATUS_BAR,
    },
    {
      what: 'resident memory, `mode: plan` of 100,000 files',
      value: `${together.toFixed(0)} MB with all that it starts, ${main.toFixed(0)} MB itself`,
      bar: `≤ ${MEMORY_BAR} MB`,
      ok: together <= MEMORY_BAR,
    },
    ...curves.map(({ of: what, exponent }): Row => ({
      what: `growth with ${what}`,
      value: `exponent ${exponent.toFixed(2)}`,
      bar: `≤ ${LINEAR_BAR} (linear)`,
      ok: exponent <= LINEAR_BAR,
    })),
  ]
}

export function planSection(figures: PlanFigures, { machine, command }: { machine: Machine; command: string }): string {
  const samples = [...(figures.unchanged ?? []), ...(figures.matrix ?? [])]
  const rows = planRows(figures)
  const missed = rows.filter(({ ok }) => !ok)
  return [
    '# The plan and what it skips, measured',
    `Written by the bench (\`${command}\`), not by hand.`,
    [
      'The project, the service (60 ms a request, 120 MB/s) and the registries (15 ms, 120 MB/s) are those of the layer cache’s',
      'figures. Every job begins on an engine without images, layers and build cache. The other side is `docker buildx bake` with',
      '`type=gha,mode=max` for each target, which the bars are about: it pushes as stage-build does (`push`), with the engine’s own',
      'builder, which keeps what it pushes and so unpacks it. *Light* is the same with `store=false`, as a builder of',
      'docker/setup-buildx-action works. Times are of main and post step, medians; bytes, calls and memory are the worst of all runs.',
      `Starting a runner, checking out and installing tools is in nobody’s time. ${engineDataText()}`,
    ].join('\n'),
    `${machine.date} · ${machine.cores} cores (${machine.cpu}) · ${machine.memory} RAM · Linux ${machine.kernel} · ` +
      `Docker ${machine.docker} · buildx ${machine.buildx} · Node.js ${machine.node}`,
    table(
      ['', 'Measured', 'Bar', ''],
      rows.map(({ what, value, bar, ok }) => [what, value, bar, ok ? 'held' : '**missed**']),
    ),
    '## Where stage-build loses',
    [...missed.map(({ what, value, bar }) => `- ${what}: ${value}, not ${bar}.`), ...losses(samples)].join('\n') ||
      'Nowhere in these figures.',
    ...(samples.length === 0 ? [] : ['## All runs', samplesTable(samples)]),
    ...(figures.growth === undefined ? [] : ['## How the plan grows', ...growthTables(figures.growth)]),
  ].join('\n\n')
}

const NAMES: Readonly<Record<UnchangedContender, string>> = {
  'stage-build': '**stage-build**',
  gha: '`type=gha`',
  'gha-light': '`type=gha`, light',
}

/** Where a number of ours is the larger one, or a bar would not hold against the other way to push. */
function losses(samples: readonly UnchangedSample[]): readonly string[] {
  const metrics = {
    time: ({ seconds }: UnchangedSample) => seconds,
    'bytes to and from the service': ({ service }: UnchangedSample) => service,
    'bytes from registries': ({ read }: UnchangedSample) => read,
    'bytes to registries': ({ pushed }: UnchangedSample) => pushed,
  }
  return (['gha', 'gha-light'] as const).flatMap((other) =>
    scenariosOf(samples).flatMap((scenario) =>
      Object.entries(metrics).flatMap(([name, metric]) => {
        const mine = middle(of(samples, scenario, 'stage-build'), metric)
        const theirs = middle(of(samples, scenario, other), metric)
        const shown = name === 'time' ? (value: number) => `${value.toFixed(2)} s` : kilobytes
        const isLoss = mine > theirs * (name === 'time' && other !== 'gha' ? TIME_BAR : 1.02)
        const what = `${UNCHANGED_SCENARIOS[scenario]}, against ${NAMES[other]}: ${name} ${shown(mine)} to ${shown(theirs)}`
        return isLoss ? [`- ${what} (${(mine / theirs).toFixed(2)}×).`] : []
      }),
    ),
  )
}

function samplesTable(samples: readonly UnchangedSample[]): string {
  const head = ['', 'Time', 'Steps', 'Calls', 'Service', 'From registries', 'Pushed']
  const rows = samples.map(({ scenario, contender, steps, seconds, calls, service, read, pushed }) => [
    `${UNCHANGED_SCENARIOS[scenario]}: ${NAMES[contender]}`,
    `${seconds.toFixed(2)} s`,
    steps.length === 1 ? '1' : steps.map((step) => `${step.name} ${step.seconds.toFixed(1)}`).join(', '),
    String(calls),
    ...[service, read, pushed].map(kilobytes),
  ])
  return table(head, rows)
}

function growthTables({ files, curves }: NonNullable<PlanFigures['growth']>): readonly string[] {
  const rows = curves.flatMap(({ of: what, points, exponent }) =>
    points.map(({ count, seconds, main, together }, index) => [
      `${count.toLocaleString('en')} ${what}`,
      ms(seconds),
      `${main.toFixed(0)} MB`,
      `${together.toFixed(0)} MB`,
      index === points.length - 1 ? exponent.toFixed(2) : '',
    ]),
  )
  return [
    table(['`mode: plan`', 'Time', 'Memory', 'with what it starts', 'Exponent'], rows),
    [
      `The exponent is of the last two points, what the first one takes (the start of a process) taken off. With files, the record of`,
      `an equal build is there; with one of the 100,000 changed, and its folder named in the reason, it takes ${ms(files.changed.seconds)}.`,
      `With stages and targets there is no record.`,
    ].join('\n'),
  ]
}

function scenariosOf(samples: readonly UnchangedSample[]): readonly UnchangedScenario[] {
  return [...new Set(samples.map(({ scenario }) => scenario))]
}

function of(
  samples: readonly UnchangedSample[],
  scenario: UnchangedScenario,
  contender: UnchangedContender,
): readonly UnchangedSample[] {
  return samples.filter((sample) => sample.scenario === scenario && sample.contender === contender)
}

function middle(samples: readonly UnchangedSample[], metric: (sample: UnchangedSample) => number): number {
  const sorted = samples.map(metric).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}

function ms(seconds: number): string {
  return `${(seconds * 1_000).toFixed(0)} ms`
}

function kilobytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(0)} MB`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = head.map((_, index) => (index === 0 ? ':--' : '--:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}
