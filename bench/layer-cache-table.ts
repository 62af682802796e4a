/** The figures of the layer-cache bench as Markdown: medians, the bars, and in words where stage-build loses. */
import type { Contender } from './layer-cache-contenders.ts'
import { CONTENDERS } from './layer-cache-contenders.ts'
import { engineDataText } from './layer-cache-rigs.ts'
import { SCENARIOS, type LayerCacheResult, type Sample, type Scenario } from './layer-cache.ts'
import type { Machine } from './machine.ts'

export interface Row {
  readonly what: string
  readonly value: string
  readonly bar: string
  readonly ok: boolean
}

/** The columns: all are better when smaller. */
const METRICS = {
  seconds: { title: 'wall time', of: (sample: Sample) => sample.seconds },
  bytesUp: { title: 'uploaded to the service', of: (sample: Sample) => sample.bytesUp },
  bytesDown: { title: 'downloaded from the service', of: (sample: Sample) => sample.bytesDown },
  calls: { title: 'service calls', of: (sample: Sample) => sample.calls },
  stored: { title: 'stored by the service', of: (sample: Sample) => sample.stored },
  baseBytes: { title: 'from the base registry', of: (sample: Sample) => sample.baseBytes },
} as const

type Metric = keyof typeof METRICS

const NAMES: Readonly<Record<Contender, string>> = {
  'stage-build': '**stage-build**',
  gha: 'bake, `type=gha,mode=max`',
  none: 'bake, no cache',
}

/** Of wall time, relative to `type=gha`. */
const TIME_BARS: Partial<Record<Scenario, number>> = { cold: 0.6, unchanged: 0.8, 'one-file': 1, 'one-of-ten': 1 }
/** Of a clean build: nothing can be deleted, so what changes later adds to both alike. */
const STORED_BAR = 0.2
const CALLS_BAR = 0.2
const RESIDENT_BAR = 200e6
/** What repeated runs differ by: a share, and an amount (seconds, calls or bytes). */
const NOISE = { share: 1.02, seconds: 0.1, calls: 0, bytes: 1e6 } as const

export class LayerCacheTable {
  readonly #result: LayerCacheResult

  constructor(result: LayerCacheResult) {
    this.#result = result
  }

  /** Each bar of the issue with what came out. */
  rows(): readonly Row[] {
    const rows: Row[] = []
    for (const [scenario, bar] of Object.entries(TIME_BARS) as readonly (readonly [Scenario, number])[]) {
      rows.push(...this.#ratio(scenario, 'seconds', bar))
    }
    rows.push(...this.#ratio('cold', 'stored', STORED_BAR))
    const [worst] = this.#scenarios()
      .flatMap((scenario) => this.#ratio(scenario, 'calls', CALLS_BAR))
      .sort((a, b) => Number.parseFloat(b.value) - Number.parseFloat(a.value))
    if (worst !== undefined) rows.push({ ...worst, what: `${worst.what} (the worst scenario)` })
    for (const { step, resident } of this.#result.large) {
      const [both, main, client] = [resident.action, resident.main, resident.client].map(megabytes)
      rows.push({
        what: `resident memory, 2 GB of layers ${step}`,
        value: `${both ?? ''} together (at their own highest: action ${main ?? ''}, cache client ${client ?? ''})`,
        bar: `≤ ${megabytes(RESIDENT_BAR)}`,
        ok: resident.action <= RESIDENT_BAR,
      })
    }
    return rows
  }

  markdown(machine: Machine, command: string): string {
    return (
      [
        '# The layer cache, measured',
        'Written by the bench (`' + command + '`), not by hand.',
        paragraph([
          'Ten Go services in one Dockerfile on a base image of 300 MB, with a dependency layer of 50–60 MB that they share.',
          'Every run begins on an engine without images, layers and build cache, as on a fresh runner. GitHub’s cache service is',
          'one of ours on loopback that speaks its protocol: 60 ms for each request, 120 MB/s in each direction. Base images come',
          'from a registry, and images are pushed to another one: 15 ms and 120 MB/s. All contenders build, push and resolve the',
          `same through the same rigs; the post step is included. Figures are medians. ${engineDataText()}`,
        ]),
        `${machine.date} · ${machine.cores} cores (${machine.cpu}) · ${machine.memory} RAM · Linux ${machine.kernel} · ` +
          `Docker ${machine.docker} · buildx ${machine.buildx} · Node.js ${machine.node} · ${this.#repetitions()}`,
        ...(machine.note === undefined ? [] : [machine.note]),
        '## The bars',
        table(
          ['', 'Measured', 'Bar', ''],
          this.rows().map(({ what, value, bar, ok }) => [what, value, bar, ok ? 'held' : '**missed**']),
        ),
        '## Where stage-build loses',
        this.#losses(),
        '## All figures',
        ...this.#scenarios().flatMap((scenario) => [`### ${SCENARIOS[scenario]}`, this.#scenarioTable(scenario)]),
        ...this.#largeSection(),
        '## How to read this',
        [
          '- Stored: all that the service keeps after the run, of earlier runs and other branches too; the runs follow one another',
          '  as commits do: (a), (b), (e), (f), (d) in one repository, and (c) in another after a cold run of its own.',
          '  The bar is for a clean build (a).',
          '- Service calls: look-ups, reservations, uploads of blocks, completions and downloads.',
          '- Memory: the action’s process and its cache client, sampled every 50 ms, with pages of the program that both run counted once; bake’s is not comparable, since its work is done',
          '  in the engine.',
          '- Images are pushed and not kept in the engine (`store=false`), as with the builder of docker/setup-buildx-action.',
          '- Installing tools is in nobody’s time.',
        ].join('\n'),
      ].join('\n\n') + '\n'
    )
  }

  #repetitions(): string {
    const count = Math.max(...this.#scenarios().map((scenario) => this.#samples('stage-build', scenario).length))
    return count === 1 ? 'each run once' : `each run ${count} times`
  }

  #scenarios(): readonly Scenario[] {
    const measured = new Set(this.#result.samples.map(({ scenario }) => scenario))
    return (Object.keys(SCENARIOS) as readonly Scenario[]).filter((scenario) => measured.has(scenario))
  }

  #samples(contender: Contender, scenario: Scenario): readonly Sample[] {
    return this.#result.samples.filter((sample) => sample.contender === contender && sample.scenario === scenario)
  }

  #median(contender: Contender, scenario: Scenario, of: (sample: Sample) => number): number | undefined {
    const values = this.#samples(contender, scenario)
      .map(of)
      .sort((a, b) => a - b)
    return values[Math.floor(values.length / 2)]
  }

  #ratio(scenario: Scenario, metric: 'seconds' | 'stored' | 'calls', bar: number): readonly Row[] {
    const [ours, theirs] = (['stage-build', 'gha'] as const).map((who) =>
      this.#median(who, scenario, METRICS[metric].of),
    )
    if (ours === undefined || theirs === undefined) return []
    const ratio = ours / theirs
    return [
      {
        what: `${METRICS[metric].title}, ${SCENARIOS[scenario]}`,
        value: `${ratio.toFixed(2)}× (${shown(metric, ours)} to ${shown(metric, theirs)})`,
        bar: `≤ ${bar.toFixed(1)}×`,
        ok: ratio <= bar,
      },
    ]
  }

  #losses(): string {
    const lines = (['gha', 'none'] as const).flatMap((other) =>
      this.#scenarios().flatMap((scenario) => {
        const worse = (Object.keys(METRICS) as readonly Metric[]).flatMap((metric) => {
          // Without a cache there is no service, so only time and the base images can be compared.
          if (other === 'none' && metric !== 'seconds' && metric !== 'baseBytes') return []
          const ours = this.#median('stage-build', scenario, METRICS[metric].of)
          const theirs = this.#median(other, scenario, METRICS[metric].of)
          if (ours === undefined || theirs === undefined || isSame(metric, ours, theirs)) return []
          return [`${METRICS[metric].title}: ${shown(metric, ours)}, not ${shown(metric, theirs)}`]
        })
        const name = other === 'gha' ? '`type=gha`' : 'no cache at all'
        return worse.length === 0 ? [] : [`- Against ${name} in ${SCENARIOS[scenario]}: ${worse.join('; ')}.`]
      }),
    )
    return lines.length === 0 ? 'Nowhere in these figures.' : lines.join('\n')
  }

  #scenarioTable(scenario: Scenario): string {
    const present = CONTENDERS.filter((contender) => this.#samples(contender, scenario).length > 0)
    const rows = present.map((contender) => {
      const median = (of: (sample: Sample) => number): number => this.#median(contender, scenario, of) ?? NaN
      const times = this.#samples(contender, scenario).map(({ seconds }) => seconds)
      const spread = times.length > 1 ? ` (${Math.min(...times).toFixed(1)}–${Math.max(...times).toFixed(1)})` : ''
      const post = contender === 'stage-build' ? `${median((s) => s.postSeconds).toFixed(1)} s` : '–'
      const memory = contender === 'stage-build' ? megabytes(median((s) => s.resident.action)) : '–'
      const { bytesUp, bytesDown, calls, stored, baseBytes } = METRICS
      return [
        NAMES[contender],
        `${median((s) => s.seconds).toFixed(1)} s${spread}`,
        post,
        ...[bytesUp, bytesDown].map(({ of }) => megabytes(median(of))),
        String(median(calls.of)),
        ...[stored, baseBytes].map(({ of }) => megabytes(median(of))),
        memory,
      ]
    })
    return table(['', 'Time', 'of it post', 'Up', 'Down', 'Calls', 'Stored', 'Base images', 'Memory'], rows)
  }

  #largeSection(): readonly string[] {
    const { large } = this.#result
    if (large.length === 0) return []
    const rows = large.map(({ step, seconds, bytesUp, bytesDown, resident }) => [
      step,
      `${seconds.toFixed(1)} s`,
      ...[bytesUp, bytesDown, resident.action, resident.main, resident.client].map(megabytes),
    ])
    const head = ['', 'Time', 'Up', 'Down', 'Memory together', 'Action', 'Cache client']
    return ['### 2 GB of layers (four of 512 MiB that cannot be compressed)', table(head, rows)]
  }
}

/** Whether ours is no worse, as far as can be told. */
function isSame(metric: Metric, ours: number, theirs: number): boolean {
  const amount = metric === 'seconds' || metric === 'calls' ? NOISE[metric] : NOISE.bytes
  return ours <= theirs * NOISE.share || ours - theirs <= amount
}

function shown(metric: Metric, value: number): string {
  if (metric === 'seconds') return `${value.toFixed(2)} s`
  return metric === 'calls' ? String(value) : megabytes(value)
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = head.map((_, index) => (index === 0 ? ':--' : '--:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

function paragraph(lines: readonly string[]): string {
  return lines.join('\n')
}
