/**
 * `npm run demo`: the examples through the bundled action, as GitHub's runner would run it. Streams each step's log and
 * leaves its summary, outputs and log in `demo-output/`. Then runs each step a second time, with the layer cache (a directory) of
 * the first, and ends with a table of sizes and times; a step that fails makes it fail.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { readCommands, REPOSITORY, runStep, type ActionResult } from '../__tests__/support/action.ts'
import { exampleSite, readExamples, type Example, type ExampleStep } from '../__tests__/support/example.ts'

const OUTPUT = join(REPOSITORY, 'demo-output')

/** One row of the table at the end. */
interface Row {
  readonly example: string
  readonly dockerfile: string
  readonly target: string
  /** Bytes; undefined where the action does not know. */
  readonly transfer: number | undefined
  readonly unpacked: number | undefined
  /** Seconds that the step took, the first and the second time. */
  readonly seconds: readonly [number, number | undefined]
}

interface StepResult {
  readonly example: string
  readonly dockerfile: string
  readonly main: ActionResult
  readonly post: ActionResult
  readonly log: string
  readonly seconds: number
}

async function demo(): Promise<boolean> {
  const only = process.argv.slice(2)
  const examples = (await readExamples(exampleSite(process.env))).filter(
    ({ name, steps }) => steps.every((step) => step.fails === undefined) && (only.length === 0 || only.includes(name)),
  )
  if (examples.length === 0) throw new Error(`no example is called ${only.join(' or ')}`)
  await rm(OUTPUT, { recursive: true, force: true })
  const results: StepResult[] = []
  for (const [index, example] of examples.entries()) {
    process.stdout.write(`\n=== ${index + 1}/${examples.length} ${example.name}: ${example.title}\n`)
    const steps: StepResult[] = []
    for (const step of example.steps) steps.push(await runExampleStep(example, step))
    await writeResults(example, steps)
    results.push(...steps)
  }
  process.stdout.write('\n=== Once more, with nothing changed\n')
  const again: StepResult[] = []
  for (const example of examples) {
    for (const step of example.steps) again.push(await runExampleStep(example, step))
  }
  results.push(...again)
  const failed = results.filter(({ main, post }) => main.code !== 0 || post.code !== 0)
  process.stdout.write(
    `\n${table(results.slice(0, again.length).flatMap((result, index) => rowsOf(result, again[index]?.seconds)))}\n\n`,
  )
  process.stdout.write(`Summaries, outputs and logs: ${relative(process.cwd(), OUTPUT) || '.'}/<example>/\n`)
  for (const { example, dockerfile } of failed) process.stdout.write(`FAILED: ${example} (${dockerfile})\n`)
  return failed.length === 0
}

async function runExampleStep(example: Example, step: ExampleStep): Promise<StepResult> {
  const dockerfile = step.with['bake-files'] ?? step.with['file'] ?? `${step.with['context'] ?? '.'}/Dockerfile`
  const shown = Object.entries(step.with).filter(([name]) => name !== 'external-images')
  process.stdout.write(
    `\n--- uses: ./  ${shown.map(([name, value]) => `${name}=${value.split('\n').join(',')}`).join('  ')}\n`,
  )
  let log = ''
  let rest = ''
  const show = (line: string): void => {
    const shownLine = asShown(line)
    if (shownLine === undefined) return
    log += `${shownLine}\n`
    process.stdout.write(`${shownLine}\n`)
  }
  const onLog = (text: string): void => {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(show)
  }
  const started = performance.now()
  const inputs = { ...step.with, 'cache-dir': join(OUTPUT, 'cache') }
  const { main, post } = await runStep({ inputs, workspace: REPOSITORY, onLog })
  if (rest !== '') show(rest)
  return { example: example.name, dockerfile, main, post, log, seconds: (performance.now() - started) / 1_000 }
}

/** A line as GitHub's log viewer shows it: annotations in words, debug lines and other commands not at all. */
function asShown(line: string): string | undefined {
  const command = /^::([a-z-]+)(?: .*?)?::/.exec(line)
  if (command === null) return line
  const [annotation] = readCommands(line).annotations
  if (annotation !== undefined) {
    const { level, file, line: at, message } = annotation
    const place = file === undefined ? '' : `${file}${at === undefined ? '' : `:${at}`}: `
    return `${level[0]?.toUpperCase() ?? ''}${level.slice(1)}: ${place}${message}`
  }
  return command[1] === 'group' ? `▼ ${line.slice(command[0].length)}` : undefined
}

/** A job's summary page shows the summaries of its steps one after the other; so does `summary.md`. */
async function writeResults(example: Example, steps: readonly StepResult[]): Promise<void> {
  const folder = join(OUTPUT, example.name)
  await mkdir(folder, { recursive: true })
  const summaries = steps.flatMap(({ main, post }) => [main.summary, post.summary]).filter((text) => text !== '')
  await writeFile(join(folder, 'summary.md'), summaries.join('\n\n'))
  const outputs = steps.map(({ dockerfile, main }) => ({ dockerfile, outputs: readable(main.outputs) }))
  await writeFile(join(folder, 'outputs.json'), `${JSON.stringify(outputs, undefined, 2)}\n`)
  await writeFile(join(folder, 'log.txt'), steps.map(({ log }) => log).join('\n'))
}

/** Outputs that hold JSON are shown as what they hold. */
function readable(outputs: ActionResult['outputs']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, text]) => [name, /^[[{]/.test(text) ? (JSON.parse(text) as unknown) : text]),
  )
}

function rowsOf({ example, dockerfile, main, seconds }: StepResult, again: number | undefined): readonly Row[] {
  const images = JSON.parse(main.outputs['images'] ?? '{}') as Readonly<
    Record<string, { readonly sizes: Readonly<Record<string, Readonly<Record<string, { total?: number | null }>>>> }>
  >
  return Object.entries(images).flatMap(([target, { sizes }]) =>
    Object.values(sizes).map(({ transfer, unpacked }) => ({
      ...{ example, dockerfile: dockerfile.replace(/^examples\//, ''), target },
      transfer: transfer?.total ?? undefined,
      unpacked: unpacked?.total ?? undefined,
      seconds: [seconds, again] as const,
    })),
  )
}

function table(rows: readonly Row[]): string {
  const cells = [
    ['example', 'Dockerfile', 'target', 'transfer', 'unpacked', 'step took', 'and again'],
    ...rows.map((row) => [
      ...[row.example, row.dockerfile, row.target, megabytes(row.transfer), megabytes(row.unpacked)],
      ...row.seconds.map((seconds) => (seconds === undefined ? '' : `${seconds.toFixed(1)} s`)),
    ]),
  ]
  const widths = [0, 1, 2, 3, 4, 5, 6].map((column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)))
  const pad = (cell: string, column: number): string =>
    column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return cells.map((line) => line.map(pad).join('  ')).join('\n')
}

function megabytes(bytes: number | undefined): string {
  if (bytes === undefined) return 'unknown'
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`
}

process.exitCode = (await demo()) ? 0 : 1
