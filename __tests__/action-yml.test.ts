import { describe, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { checkRepository, compareNames, namedPaths, parseAction, renderTables, updateReadme } from '../script/docs.ts'

const root = join(import.meta.dirname, '..')
const text = await readFile(join(root, 'action.yml'), 'utf8')
const action = parseAction(text)

describe('action.yml', () => {
  test('agrees with inputs.ts, outputs.ts and the tables of README', async () => {
    expect(await checkRepository(root)).toEqual([])
  })

  test('names every input and output in kebab-case, with a description', () => {
    for (const { name, description } of [...action.inputs, ...action.outputs]) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
      expect({ name, ends: description.trim().at(-1) }).toEqual({ name, ends: '.' })
    }
  })

  test('runs the bundle on Node 24, and again after the job', () => {
    expect(parse(text)).toMatchObject({
      runs: { using: 'node24', main: 'dist/index.js', post: 'dist/post-step.js', 'post-if': 'always()' },
    })
  })

  test('has every input of docker/build-push-action', () => {
    const theirs =
      'add-hosts allow annotations attests build-args build-contexts builder cache-from cache-to call cgroup-parent ' +
      'context file github-token labels load network no-cache no-cache-filters outputs platforms provenance pull push ' +
      'sbom secret-envs secret-files secrets shm-size ssh tags target ulimit'
    expect(action.inputs.map(({ name }) => name)).toEqual(expect.arrayContaining(theirs.split(' ')))
  })
})

describe('the check', () => {
  const example = parseAction(
    'inputs:\n  # First\n  a:\n    description: A | B.\n    default: x\n  # Second\n  b-c:\n    description: C.\noutputs:\n  d:\n    description: D.\n',
  )

  test('renders one table a group and escapes bars', () => {
    expect(renderTables(example.inputs, 'inputs')).toBe(
      '**First**\n\n| Input | Default | Meaning |\n| --- | --- | --- |\n| `a` | `x` | A \\| B. |\n\n' +
        '**Second**\n\n| Input | Default | Meaning |\n| --- | --- | --- |\n| `b-c` |  | C. |',
    )
  })

  test('asks for the markers when README lost them', () => {
    expect(() => updateReadme('# stage-build\n', example)).toThrow('README.md needs the line <!-- inputs')
  })

  test('knows which files a document names', () => {
    const text =
      'See [a](docs/a.md#b), `src/run.ts`, `npm run x` and [web](https://example.org). <img src="docs/p.png">'
    expect(namedPaths(text)).toEqual(['docs/a.md', 'docs/p.png', 'src/run.ts'])
  })

  test('finds names that only one side has, and names that nothing uses', () => {
    const sources = ["export const INPUT_NAMES = ['a', 'x', 'b-c'] as const\nread('a')\n", 'read("x")\n']
    expect(compareNames([...example.inputs, ...example.outputs], sources, 'INPUT_NAMES')).toEqual([
      'INPUT_NAMES has b-c, nothing uses it, and its description in action.yml does not say so',
      'action.yml has d, and INPUT_NAMES does not',
      'INPUT_NAMES has x, and action.yml does not',
    ])
  })

  test('accepts a name that nothing uses when its description says so', () => {
    const entry = { name: 'late', description: 'Later. Not in effect yet.', default: undefined, group: undefined }
    expect(compareNames([entry], ["const INPUT_NAMES = ['late'] as const"], 'INPUT_NAMES')).toEqual([])
  })

  test('counts a property of an object as a use', () => {
    const source = "export const OUTPUT_NAMES = ['d'] as const satisfies readonly string[]\nwrite({ d: 1 })\n"
    expect(compareNames(example.outputs, [source], 'OUTPUT_NAMES')).toEqual([])
  })

  test('refuses a list that is computed', () => {
    expect(() => compareNames([], ['export const INPUT_NAMES = [...other, 1]'], 'INPUT_NAMES')).toThrow('...other')
    expect(() => compareNames([], ['export const INPUT_NAMES = list()'], 'INPUT_NAMES')).toThrow('no list of strings')
  })
})
