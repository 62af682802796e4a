/** Whether the stages of the targets, or what they need, are other ones than in the builds that are compared with. Pure. */
import type { KnownRecords } from './known-records.ts'
import type { SizeRecord } from './measure/size-record.ts'
import type { StagePrint } from './plan/stage-print.ts'
import type { Planned } from './planning.ts'
import type { StageGraphChange } from './report/size-report-context.ts'

/** Undefined where nothing changed, or where a target has nothing to compare with. */
export function graphChange(
  planned: Pick<Planned, 'graph' | 'targets' | 'plan' | 'fingerprints'>,
  baseline: readonly SizeRecord[],
  records: KnownRecords | undefined,
): StageGraphChange | undefined {
  const now: StagePrint[] = []
  const before: StagePrint[] = []
  for (const { name } of planned.targets) {
    const commit = baseline.find(({ target }) => target === name)?.commit
    const known = (['own', 'base', 'default'] as const)
      .flatMap((source) => records?.measured(name, source) ?? [])
      .find(({ record }) => record.commit !== undefined && record.commit === commit)
    const print = planned.fingerprints.prints.get(name)
    // A new target is told of in the table.
    if (known === undefined || print === undefined) continue
    now.push(...(print.platforms[0]?.stages ?? []))
    before.push(...(known.record.print.platforms[0]?.stages ?? []))
  }
  const [is, was] = [outline(now), outline(before)]
  const isSame = missing(is.edges, was.edges).length === 0 && missing(was.edges, is.edges).length === 0
  if (was.edges.size === 0 || isSame) return undefined
  const { graph, targets, plan } = planned
  return {
    graph,
    targets: targets.map(({ name, stage }) => ({ name, stage })),
    shared: plan.shared,
    added: missing(is.names, was.names),
    removed: missing(was.names, is.names),
  }
}

/** What is in one set and not in another. */
function missing(these: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  return [...these].filter((one) => !others.has(one))
}

/** Stages by name, and what each is made from; numbers change with every stage that is put before. */
function outline(stages: readonly StagePrint[]): {
  readonly names: ReadonlySet<string>
  readonly edges: ReadonlySet<string>
} {
  const nameOf = ({ name, index }: Pick<StagePrint, 'name' | 'index'>): string => name ?? `stage ${index}`
  const names = new Map(stages.map((stage) => [String(stage.index), nameOf(stage)]))
  const edges = stages.flatMap((stage) =>
    [stage.base, ...stage.steps.flatMap(({ sources }) => sources)].map(({ kind, name }) =>
      JSON.stringify([nameOf(stage), kind, kind === 'stage' ? (names.get(name) ?? name) : name]),
    ),
  )
  return { names: new Set(names.values()), edges: new Set(edges) }
}
