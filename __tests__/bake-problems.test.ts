import { expect, test } from '@jest/globals'
import { toldOfInline, toldOfTargets, toldOfWarnings } from '../src/bake-problems.ts'
import { targetProblem, type TargetProblem } from '../src/build/bake-targets.ts'
import { workspace } from './support/engine.ts'

function problem(target: string, said = ': the context `gone` is no directory.'): TargetProblem {
  return targetProblem(target, said, 'Make it.')
}

async function told(...problems: readonly TargetProblem[]): Promise<readonly object[]> {
  const targets = ['web', 'api'].map((name) => `target "${name}" {\n  context = "gone"\n}\n`)
  await using space = await workspace({ 'docker-bake.hcl': targets.join('\n') })
  return await toldOfTargets(problems, ['docker-bake.hcl'], space.directory)
}

test('is told at the line where its target begins', async () => {
  const at = { input: 'bake-files', mend: 'Make it.', file: 'docker-bake.hcl' }
  expect(await told(problem('api'), problem('made-by-a-matrix', ' has no name.'))).toEqual([
    { ...at, message: 'The bake target `api`: the context `gone` is no directory.', line: 5 },
    { ...at, message: 'The bake target `made-by-a-matrix` has no name.' },
  ])
})

test('is told once of all targets that have it, at the line of the first that stands in a file', async () => {
  const names = ['made-1', 'made-2', 'api', 'web', 'made-3', 'made-4']
  expect(await told(...names.map((name) => problem(name)), problem('api'))).toEqual([
    {
      ...{ input: 'bake-files', mend: 'Make it.', file: 'docker-bake.hcl', line: 5 },
      message:
        'The bake targets `made-1`, `made-2`, `api`, `web` and 2 more, each: the context `gone` is no directory.',
    },
  ])
  expect(await told(problem('web', ' has `call`.'), problem('api', ' has `call`.'))).toMatchObject([
    { message: 'The bake targets `web` and `api` have `call`.', line: 1 },
  ])
})

test('keeps apart what is mended in different ways', async () => {
  const [one, other] = [problem('web'), { ...problem('api'), mend: 'Did you mean `gone2`?' }]
  expect(await told(one, other)).toHaveLength(2)
})

test('of an inline Dockerfile without lines in its file is told where its target begins', () => {
  const heading = { target: 'a', file: 'bake.json', line: 3 }
  const parts = [{ dockerfileName: 'Dockerfile' }, { dockerfileName: 'bake.json#a', heading }]
  const [mend, other] = ['Mend it.', { message: 'b.', file: 'Dockerfile', line: 1 }]
  const inline = { message: 'unknown instruction: RUNN.', mend, file: 'bake.json#a', line: 2, endLine: 4 }
  expect(toldOfInline([inline, other], parts)).toEqual([
    {
      ...{ message: 'unknown instruction: RUNN (line 2 of the inline Dockerfile of `a`).', mend },
      ...{ file: 'bake.json', line: 3 },
    },
    other,
  ])
  expect(toldOfInline([{ message: 'It fails.', file: 'bake.json#a' }], parts)).toMatchObject([
    { message: 'It fails (the inline Dockerfile of `a`).', file: 'bake.json', line: 3 },
  ])
})

test('variables of compose files that are not set are one line of the log; other warnings of buildx are warnings', () => {
  const blank = (name: string): string => `The "${name}" variable is not set. Defaulting to a blank string.`
  const files = ['docker-bake.hcl', 'compose.yaml', 'other.yml']
  expect(toldOfWarnings([blank('TAG'), 'is odd', blank('DIR')], files)).toEqual({
    warnings: [{ input: 'bake-files', file: 'compose.yaml', message: '`bake-files`: is odd.' }],
    notes: ['variables of compose.yaml that are not set, and so are empty: TAG and DIR'],
  })
  expect(toldOfWarnings([], files)).toEqual({ warnings: [], notes: [] })
})
