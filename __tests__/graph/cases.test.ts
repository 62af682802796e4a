import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { errorsFor } from '../../src/graph/reachability.ts'
import { outline, resolveText, withoutSuggestion, type StageOutline } from '../support/graph-outline.ts'

interface Case {
  name: string
  category: string
  dockerfile: string
  args: Record<string, string>
  target: string | null
  platform: string
  contexts?: Record<string, string>
  baseImageOnBuild?: Record<string, string[]>
  expectedStages?: StageOutline[]
  expectedTarget?: number
  contextPaths?: Record<string, string[]>
  expectedError?: string
  errorPhase?: string
  errorScope?: string
  warnings?: string[]
}

const cases = JSON.parse(readFileSync(new URL('../cases/stage-graph.json', import.meta.url), 'utf8')) as Case[]

describe.each(cases)('$category: $name', (given) => {
  const { graph, errors, warnings, target } = resolveText(given.dockerfile, {
    buildArgs: given.args,
    target: given.target ?? undefined,
    platform: given.platform,
    contexts: given.contexts,
    onBuildOf: (image) => given.baseImageOnBuild?.[image],
  })
  const [error] = errorsFor(errors, graph, target === undefined ? [] : [target])

  test('errors are BuildKit’s', () => {
    expect(withoutSuggestion(error?.message)).toBe(withoutSuggestion(given.expectedError))
    expect(error?.phase).toBe(given.errorPhase)
    expect(error?.scope).toBe(given.errorScope)
  })

  test('the graph is BuildKit’s', () => {
    if (given.expectedTarget !== undefined) expect(target).toBe(given.expectedTarget)
    if (given.expectedStages === undefined) return
    expect(graph === undefined ? undefined : outline(graph, target ?? -1)).toEqual(given.expectedStages)
    for (const [stage, paths] of Object.entries(given.contextPaths ?? {})) {
      expect(graph?.stages[Number(stage)]?.contextPaths).toEqual(paths)
    }
  })

  test('the warnings about stages are among BuildKit’s and none is missing', () => {
    // The image's platform is only known to who resolved the image.
    const expected = (given.warnings ?? []).filter((warning) => !warning.startsWith('InvalidBaseImagePlatform'))
    const found = warnings.map(({ rule, line, message }) => `${rule}:${line}: ${message}`)
    expect(found.filter((warning) => !warning.startsWith('NoEmptyContinuation')).sort()).toEqual(expected.sort())
  })
})
