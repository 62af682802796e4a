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
  const [now, before] = [new Outline(), new Outline()]
  const isOne = planned.graph.stages.every(({ file }) => file === undefined)
  for (const { name } of planned.targets) {
    const commit = baseline.find(({ target }) => target === name)?.commit
    const known = (['own', 'base', 'default'] as const)
      .flatMap((source) => records?.measured(name, source) ?? [])
      .find(({ record }) => record.commit !== undefined && record.commit === commit)
    const print = planned.fingerprints.prints.get(name)
    // A new target is told of in the table.
    if (known === undefined || print === undefined) continue
    // Of several Dockerfiles, numbers hang on what else is built.
    const of = isOne ? undefined : name
    now.add(print.platforms[0]?.stages ?? [], of)
    before.add(known.record.print.platforms[0]?.stages ?? [], of)
  }
  const isSame = missing(now.edges, before.edges).length === 0 && missing(before.edges, now.edges).length === 0
  if (before.edges.size === 0 || isSame) return undefined
  const { graph, targets, plan } = planned
  return {
    graph,
    targets: targets.map(({ name, stage }) => ({ name, stage })),
    shared: plan.shared,
    added: missing(now.names, before.names),
    removed: missing(before.names, now.names),
  }
}

/** What is in one set and not in another. */
function missing(these: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  return [...these].filter((one) => !others.has(one))
}

/** Stages by name, and what each is made from; numbers change with every stage that is put before. */
class Outline {
  readonly names = new Set<string>()
  readonly edges = new Set<string>()

  /** @param target whose stages they are, where those without a name are to be called after it */
  add(stages: readonly StagePrint[], target: string | undefined): void {
    const names = new Map(
      stages.map(({ name, index }, place) => [
        String(index),
        name ?? (target === undefined ? `stage ${index}` : `${target}, stage ${place}`),
      ]),
    )
    for (const name of names.values()) this.names.add(name)
    for (const stage of stages) {
      const own = names.get(String(stage.index))
      for (const { kind, name } of [stage.base, ...stage.steps.flatMap(({ sources }) => sources)])
        this.edges.add(JSON.stringify([own, kind, kind === 'stage' ? (names.get(name) ?? name) : name]))
    }
  }
}
