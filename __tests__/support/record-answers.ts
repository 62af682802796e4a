/**
 * Asks the frontend of a running engine about every Dockerfile in `cases/frontend-answers.json` and writes its answers
 * back. Run by hand, when a case is added or a newer frontend is to be held against: put name, dockerfile, and what the
 * build is given into the file, then
 *   script/with-engine node __tests__/support/record-answers.ts
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Answer {
  readonly name: string
  readonly dockerfile: string
  readonly args?: Readonly<Record<string, string>>
  readonly target?: string
  readonly contexts?: readonly string[]
}

interface CheckResult {
  readonly buildError?: { readonly message: string }
  readonly warnings?: readonly { readonly ruleName: string; readonly detail: string }[]
}

const RULES = new Set([
  ...['FromAsCasing', 'StageNameCasing', 'DuplicateStageName', 'InvalidDefaultArgInFrom', 'ReservedStageName'],
  ...['UndefinedArgInFrom', 'NoEmptyContinuation'],
])
const file = new URL('../cases/frontend-answers.json', import.meta.url)
const directory = mkdtempSync(join(tmpdir(), 'record-answers-'))
const empty = join(directory, 'empty')
mkdirSync(empty)

function ask({ dockerfile, args = {}, target, contexts = [] }: Answer): CheckResult {
  const context = join(directory, 'context')
  mkdirSync(context, { recursive: true })
  writeFileSync(join(context, 'Dockerfile'), dockerfile)
  const flags = ['buildx', 'build', '--progress=quiet', '--call=check,format=json']
  for (const name of ['alpine', 'busybox', ...contexts]) flags.push('--build-context', `${name}=${empty}`)
  for (const [name, value] of Object.entries(args)) flags.push('--build-arg', `${name}=${value}`)
  if (target !== undefined) flags.push('--target', target)
  let output: string
  try {
    output = execFileSync('docker', [...flags, context], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    // It fails where the Dockerfile does; the answer stands on standard output all the same.
    output = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
  }
  return JSON.parse(output.slice(output.indexOf('{'))) as CheckResult
}

const recorded = (JSON.parse(readFileSync(file, 'utf8')) as Answer[]).map((answer) => {
  const { name, dockerfile, args, target, contexts } = answer
  const { buildError, warnings = [] } = ask(answer)
  const missingImage = /failed to resolve source metadata for (\S+):/.exec(buildError?.message ?? '')?.[1]
  const rules = warnings.filter((warning) => RULES.has(warning.ruleName))
  const texts = rules.map((warning) => `${warning.ruleName}: ${warning.detail}`).sort()
  return JSON.stringify({
    ...{ name, dockerfile, args, target, contexts },
    ...{ missingImage, error: missingImage === undefined ? buildError?.message : undefined },
    warnings: texts.length === 0 ? undefined : texts,
  })
})
writeFileSync(file, `[\n  ${recorded.join(',\n  ')}\n]\n`)
rmSync(directory, { recursive: true })
console.log(`${recorded.length} answers recorded`)
