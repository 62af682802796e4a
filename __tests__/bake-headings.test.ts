import { describe, expect, test } from '@jest/globals'
import { headingsOf, includedIn } from '../src/bake-headings.ts'

/** `name:line` of each target. */
function headings(...lines: readonly string[]): readonly string[] {
  return headingsOf(lines.join('\n')).map(({ name, above }) => `${name}:${above + 1}`)
}

describe('targets begin', () => {
  test('in a compose file at the keys under `services`, whatever else has their names', () => {
    const networks = ['networks:', '  api: {}', 'volumes:', '  db:']
    const services = ['services:', '', '# all', '    web:', '      depends_on:', '        api:', '          x: y', '    api:', '      build: .', '    db:'] // prettier-ignore
    expect(headings(...networks, ...services, 'x-api:', '    later:')).toEqual(['web:8', 'api:12', 'db:14'])
  })

  test('however the key is written; a dot is none in the name of a target', () => {
    const keys = ['a: &a', 'b: # why', 'c: {build: .}', 'd :', '"e":', "'f': *a", 'other.app:', '<<: *x', '- g:']
    const names = ['a:2', 'b:3', 'c:4', 'd:5', 'e:6', 'f:7', 'other_app:8']
    expect(headings('"services": # all', ...keys.map((key) => `  ${key}`))).toEqual(names)
    expect(headings('\uFEFFservices:\r', '  a:\r')).toEqual(['a:2'])
  })

  test('in a bake file at its blocks', () => {
    const lines = ['group "default" {', '  targets = ["web"]', '}', 'target "web" {', '  contexts = { api = "target:api" }', '}', '  target api{}', '# target "gone" {'] // prettier-ignore
    expect(headings(...lines)).toEqual(['web:4', 'api:7'])
  })

  test('in JSON at the keys under `target`, also all on one line', () => {
    const group = { default: { targets: ['web'] }, web: {} }
    const target = { api: { args: { web: '"}' } }, web: [{ contexts: { api: 'x' } }] }
    expect(headings(JSON.stringify({ group, target }, undefined, 1))).toEqual(['api:11', 'web:16'])
    expect(headings(JSON.stringify({ group, target }))).toEqual(['api:1', 'web:1'])
    expect(headings('{"target" :', '[{"a"', ': {}}, {"b": {}}]}')).toEqual(['a:2', 'b:3'])
    expect(headings('{"services": {', '"a": {}}}')).toEqual(['a:2'])
  })

  test('of a compose file in those that it includes, too', () => {
    const paths = [
      '- a.yaml # first',
      '- path: ../b.yaml',
      '- "c d"',
      '-',
      '  project_directory: x',
      "  path: './e.yml'",
    ]
    expect(includedIn(['include:', ...paths, 'services:', '  - f.yaml'].join('\r\n'))).toEqual(['a.yaml', '../b.yaml', './e.yml']) // prettier-ignore
  })

  test.each(['', 'services:', '{"target": "', '{"a": {}', ']]"x":'])('nowhere in %j', (text) => {
    expect(headingsOf(text)).toEqual([])
  })
})
