import { expect, test } from '@jest/globals'
import { checkWorkflow } from '../script/lint-workflows.ts'

const good = `
on: push
permissions: {}
concurrency: x
jobs:
  a:
    timeout-minutes: 5
    permissions:
      contents: read # to check out
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - uses: ./
        with:
          targets: x
  a-ok:
    timeout-minutes: 5
    needs: [a]
`

const findings = (text: string, audience: 'project' | 'users' = 'project'): readonly string[] =>
  checkWorkflow(text, audience, ['targets']).map((finding) => `${finding.line}: ${finding.text}`)

test('accepts a workflow that keeps the rules', () => {
  expect(findings(good)).toEqual([])
})

test.each([
  ['permissions: {}', 'permissions: write-all', '2: the workflow must say permissions: {}'],
  ['concurrency: x', 'env: {}', '2: the workflow must say concurrency'],
  ['    timeout-minutes: 5\n    permissions', '    permissions', '7: job a must say timeout-minutes'],
  ['read # to check out', 'read', '9: contents: read needs a comment that says why'],
  [
    ' # v7.0.1',
    ' # v7',
    '11: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 must be pinned: a full commit id, then # vX.Y.Z',
  ],
  [
    'persist-credentials: false',
    'persist-credentials: true',
    '11: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 must say persist-credentials: false',
  ],
  ['targets: x', 'tarets: x', '16: action.yml has no input tarets'],
  ['needs: [a]', 'needs: []', '18: job a-ok must need a'],
])('finds %j turned into %j', (from, to, finding) => {
  expect(good).toContain(from)
  expect(findings(good.replace(from, to))).toEqual([finding])
})

test('wants a tag, and not a branch or a commit, where users copy from', () => {
  expect(findings(good, 'users')).toEqual([
    '11: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 must name a major version, such as v1',
  ])
})
