/** How long the plan of a large Dockerfile takes in the process, and how it grows: parse, resolve, order, plan. */
import { parseDockerfile } from '../src/dockerfile/parse.ts'
import { resolveStageGraph } from '../src/graph/resolve.ts'
import { makePlan, serializePlan } from '../src/plan/plan.ts'
import { chooseTargets } from '../src/plan/targets.ts'

export interface PlanTime {
  readonly stages: number
  /** Milliseconds: the first run of the process (nothing compiled yet), and the median of the rest. */
  readonly first: number
  readonly median: number
}

const PLATFORM = 'linux/amd64'

/** A chain with branches: every stage is based on the one before it and copies from the one before that. */
export function dockerfileOf(stages: number): string {
  const lines = ['ARG VERSION=3.22', 'FROM alpine:${VERSION} AS s0', 'RUN echo 0']
  for (let i = 1; i < stages; i++) {
    lines.push(`FROM s${i - 1} AS s${i}`, `ARG STEP=${i}`, `COPY --from=s${Math.max(0, i - 2)} /etc/hosts /h${i}`)
    lines.push(`RUN --mount=type=cache,target=/c echo "$STEP" \\`, '  # a comment', '  && true')
  }
  return `${lines.join('\n')}\n`
}

export function measurePlan(stages: number, rounds: number): PlanTime {
  const text = dockerfileOf(stages)
  const times = Array.from({ length: rounds }, () => planOnce(text))
  const rest = times.slice(1).sort((a, b) => a - b)
  return { stages, first: times[0] ?? NaN, median: rest[Math.floor(rest.length / 2)] ?? NaN }
}

function planOnce(text: string): number {
  const start = performance.now()
  const dockerfile = parseDockerfile(text)
  const { graph } = resolveStageGraph(dockerfile, { buildArgs: {}, platform: PLATFORM })
  if (graph === undefined) throw new Error('the benchmark’s Dockerfile does not resolve')
  const { targets } = chooseTargets(graph, undefined, 'Dockerfile')
  const plan = makePlan({
    id: 'Dockerfile',
    file: 'Dockerfile',
    platforms: [PLATFORM],
    graph,
    targets,
    tagsOf: () => [],
    pinOf: () => ({ digest: undefined, mapped: undefined }),
    prints: new Map(),
    decisionOf: () => ({ status: 'changed', reasons: [] }),
  })
  serializePlan(plan)
  return performance.now() - start
}
