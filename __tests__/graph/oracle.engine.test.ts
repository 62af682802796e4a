/** Our stage graph against BuildKit's own LLB, for a corpus of Dockerfiles and for every example. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { errorsFor, stagesOf } from '../../src/graph/reachability.ts'
import { resolveStageGraph } from '../../src/graph/resolve.ts'
import { defaultTargets, findTarget } from '../../src/graph/targets.ts'
import { REPOSITORY } from '../support/action.ts'
import { exampleSite, readExamples } from '../support/example.ts'
import { withoutSuggestion } from '../support/graph-outline.ts'
import { compareLlb, readLlb, type GraphView } from '../support/llb-oracle.ts'
import {
  bakeForProvenance,
  buildError,
  imageMap,
  oracleBench,
  pushForOracle,
  type OracleTarget,
} from '../support/oracle-build.ts'
import { ORACLE_CASES, ORACLE_ERRORS } from './oracle-corpus.ts'

const site = exampleSite(process.env)
// The images that helloworld's Dockerfiles name; for the edges one is as good as another, so all four are one build.
const helloworld = new Map(
  ['build', 'one', 'copied', 'multi-stage'].map((tag) => [
    `docker.io/library/helloworld:${tag}`,
    `${site.registry}/oracle/helloworld:${tag}`,
  ]),
)
const images = new Map([...imageMap(site.externalImages), ...helloworld])
const sourceImages = new Map([...images].map(([name, reference]) => [reference, name]))

let bench: Awaited<ReturnType<typeof oracleBench>>
beforeAll(async () => {
  bench = await oracleBench(images)
})
afterAll(async () => {
  await bench.dispose()
})

/** Our graph of a target, as the oracle compares it. */
function view(target: OracleTarget): GraphView {
  const dockerfile = parseDockerfile(target.dockerfile)
  const resolution = resolveStageGraph(dockerfile, {
    buildArgs: target.args ?? {},
    target: target.target,
    platform: target.platform ?? 'linux/amd64',
    contexts: target.contexts,
  })
  const { graph, target: index } = resolution
  if (graph === undefined || index === undefined) {
    throw new Error(`${target.name}: ${resolution.errors.map((error) => error.message).join('; ')}`)
  }
  const operations = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR'])
  const hasOperations = (stage: number): boolean =>
    dockerfile.stages[stage]?.instructions.some(({ keyword }) => operations.has(keyword)) === true
  return { graph, target: index, hasOperations, contexts: target.contexts }
}

/** Differences to the LLB of a build, edges that were compared, and the stages that are in LLB. */
function compare(given: GraphView, provenance: unknown) {
  const stageOfLine = (line: number): number | undefined =>
    given.graph.stages.find((stage) => stage.line <= line && line <= stage.endLine)?.index
  const llb = readLlb(provenance, stageOfLine, sourceImages)
  const reached = stagesOf(given.graph, given.target)
  const ours = reached.flatMap((stage) => given.graph.stages[stage]?.contextPaths ?? [])
  return {
    differences: compareLlb(llb, given),
    compared: llb.edges.length,
    seen: llb.stages,
    reached,
    asked: llb.contextPaths,
    ourPaths: [...new Set(ours.map((path) => path.replace(/^\//, '')))].sort(),
  }
}

describe('the corpus', () => {
  let provenances: ReadonlyMap<string, unknown>
  beforeAll(async () => {
    provenances = await bakeForProvenance(bench, ORACLE_CASES)
  })

  test.each(ORACLE_CASES)('$name has the edges of BuildKit’s LLB', (given) => {
    const result = compare({ ...view(given), unseen: given.unseen }, provenances.get(given.name))
    expect(result.differences).toEqual([])
    expect(result.compared).toBeGreaterThan(0)
    if (result.asked !== undefined) expect(result.ourPaths).toEqual([...result.asked].sort())
    for (const stage of given.unreachable ?? []) {
      expect(result.reached).not.toContain(stage)
      expect(result.seen).not.toContain(stage)
    }
  })

  test('a graph without one of its edges does not agree', () => {
    const disagreements = ORACLE_CASES.map((given) => {
      const right = view(given)
      const stages = right.graph.stages.map((stage) => ({ ...stage, needs: [], from: { kind: 'scratch' as const } }))
      return compare({ ...right, graph: { ...right.graph, stages } }, provenances.get(given.name)).differences.length
    })
    expect(disagreements).not.toContain(0)
  })
})

// On a fresh engine the examples' base images are fetched and their programs compiled first.
describe('the examples', () => {
  test('every example’s Dockerfiles have the edges of BuildKit’s LLB', async () => {
    const context = join(REPOSITORY, 'examples/helloworld')
    const file = join(context, 'Dockerfile.build')
    await pushForOracle(bench, { context, file, references: [...helloworld.values()] })
    const targets = (await exampleTargets()).flat()
    const provenances = await bakeForProvenance(bench, targets)
    const results = targets.map((target) => ({
      name: target.name,
      ...compare(view(target), provenances.get(target.name)),
    }))
    expect(results.filter(({ differences }) => differences.length > 0)).toEqual([])
    expect(results.length).toBeGreaterThanOrEqual(15)
    // Those of Dockerfile.compare only name an image.
    const compared = results.filter((result) => result.compared > 0).length
    expect(compared).toBeGreaterThanOrEqual(12)
  }, 600_000)
})

/** Every target that an example's steps build of one Dockerfile by its stages; bake files have tests of their own. */
async function exampleTargets(): Promise<readonly (readonly OracleTarget[])[]> {
  const examples = (await readExamples(site)).filter(({ steps }) =>
    steps.every((step) => step.fails === undefined && step.with['bake-files'] === undefined),
  )
  const steps = examples.flatMap(({ name, steps }) =>
    steps.map((step, index) => ({ name: `${name}-${index}`, ...step })),
  )
  return await Promise.all(
    steps.map(async ({ name, with: inputs }) => {
      const context = inputs['context'] ?? '.'
      const dockerfile = await readFile(join(REPOSITORY, inputs['file'] ?? join(context, 'Dockerfile')), 'utf8')
      const target = { name, dockerfile, context: join(REPOSITORY, context) }
      const wanted = inputs['targets'] ?? ''
      const { graph } = view(target)
      const found =
        wanted === 'all'
          ? defaultTargets(graph, 'all')
          : wanted.split('\n').flatMap((each) => {
              const lookup = findTarget(graph, each)
              return lookup.kind === 'stage' ? [lookup.stage] : []
            })
      return found.map((stage) => {
        const stageName = graph.stages[stage]?.name
        return { ...target, name: `${name}-${stageName ?? 'last'}`, target: stageName }
      })
    }),
  )
}

describe('Dockerfiles that BuildKit refuses', () => {
  let theirs: ReadonlyMap<string, string | undefined>
  beforeAll(async () => {
    const answers = new Map<string, string | undefined>()
    const rest = [...ORACLE_ERRORS]
    const work = async (): Promise<void> => {
      for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
        answers.set(next.name, await buildError(bench, next))
      }
    }
    await Promise.all([work(), work(), work(), work()])
    theirs = answers
  })

  test.each(ORACLE_ERRORS)('$name is refused in the same words', (given) => {
    const dockerfile = parseDockerfile(given.dockerfile)
    const { graph, errors, target } = resolveStageGraph(dockerfile, {
      buildArgs: given.args ?? {},
      target: given.target,
      platform: 'linux/amd64',
    })
    const [error] = errorsFor(errors, graph, target === undefined ? [] : [target])
    expect(theirs.get(given.name)).toBeDefined()
    expect(withoutSuggestion(error?.message)).toBe(withoutSuggestion(theirs.get(given.name)))
  })
})
