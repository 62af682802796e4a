/**
 * The runner's part: starts the bundled action in a process of its own with the environment that GitHub's runner gives
 * it, and reads back what it left: outputs, state, summary, annotations. Shared by the tests and by `npm run demo`.
 */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { runProcess } from '../../src/process.ts'

export const REPOSITORY = resolve(import.meta.dirname, '../..')

export interface ActionOptions {
  readonly inputs: Readonly<Record<string, string>>
  /** The checkout: GITHUB_WORKSPACE and the working directory. */
  readonly workspace: string
  /** On top of the runner's own variables; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Relative to the repository: another bundle than `dist/index.js`. */
  readonly entry?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** RUNNER_TEMP, kept for the post step; when absent one is made and removed again. */
  readonly runnerTemp?: string | undefined
  /** The state that the main step saved: makes this the post step. */
  readonly state?: Readonly<Record<string, string>> | undefined
  /** Called with the log as it arrives, both streams. */
  readonly onLog?: ((text: string) => void) | undefined
}

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice'
  readonly message: string
  readonly file: string | undefined
  readonly line: number | undefined
  readonly endLine: number | undefined
  readonly title: string | undefined
}

export interface ActionResult {
  /** Null when a signal killed it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly summary: string
  readonly annotations: readonly Annotation[]
  /** Values hidden with `::add-mask::`. */
  readonly masks: readonly string[]
  /** Of the action's process alone, seconds. */
  readonly seconds: number
  /** What the action left in RUNNER_TEMP. */
  readonly leftovers: readonly string[]
}

/** Runs one phase of the action: the main step, or the post step where `state` is given. */
export async function runAction(options: ActionOptions): Promise<ActionResult> {
  const rig = await mkdtemp(join(tmpdir(), 'stage-build-runner-'))
  try {
    return await runIn(rig, options)
  } finally {
    await rm(rig, { recursive: true, force: true })
  }
}

/** Runs the main step and then, whatever came of it, the post step, as a job does. */
export async function runStep(
  options: ActionOptions,
): Promise<{ readonly main: ActionResult; readonly post: ActionResult }> {
  const runnerTemp = await mkdtemp(join(tmpdir(), 'stage-build-temp-'))
  try {
    const main = await runAction({ ...options, runnerTemp })
    // A cancelled job still runs its post steps.
    const post = await runAction({ ...options, signal: undefined, runnerTemp, state: main.state })
    return { main, post }
  } finally {
    await rm(runnerTemp, { recursive: true, force: true })
  }
}

async function runIn(rig: string, options: ActionOptions): Promise<ActionResult> {
  const files = {
    GITHUB_OUTPUT: join(rig, 'output'),
    GITHUB_STATE: join(rig, 'state'),
    GITHUB_STEP_SUMMARY: join(rig, 'summary.md'),
    GITHUB_ENV: join(rig, 'env'),
    GITHUB_PATH: join(rig, 'path'),
  }
  for (const file of Object.values(files)) await writeFile(file, '')
  const runnerTemp = options.runnerTemp ?? join(rig, 'temp')
  await mkdir(runnerTemp, { recursive: true })

  const action = await readActionYml()
  // A cache of its own, so that no test is served what another built.
  const inputs = inputVariables(action, { 'cache-dir': join(rig, 'layer-cache'), ...options.inputs })
  const state = Object.fromEntries(Object.entries(options.state ?? {}).map(([name, value]) => [`STATE_${name}`, value]))
  const entry = options.entry ?? (options.state === undefined ? action.main : action.post)
  const streams = { stdout: '', stderr: '' }
  const take = (stream: 'stdout' | 'stderr') => (text: string) => {
    streams[stream] += text
    options.onLog?.(text)
  }
  const started = performance.now()
  const { code } = await runProcess(process.execPath, [resolve(REPOSITORY, entry)], {
    cwd: options.workspace,
    env: {
      ...foreignVariables(),
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTION: '__self',
      GITHUB_EVENT_NAME: 'push',
      GITHUB_JOB: 'images',
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REPOSITORY: 'org/repo',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_RUN_ID: '1',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_WORKSPACE: options.workspace,
      RUNNER_ARCH: process.arch === 'arm64' ? 'ARM64' : 'X64',
      RUNNER_OS: 'Linux',
      RUNNER_TEMP: runnerTemp,
      ...files,
      ...inputs,
      ...state,
      ...options.env,
    },
    signal: options.signal,
    onStdout: take('stdout'),
    onStderr: take('stderr'),
  })
  const seconds = (performance.now() - started) / 1_000
  const { annotations, masks } = readCommands(streams.stdout)
  return {
    code,
    seconds,
    ...streams,
    outputs: readFileCommands(await readFile(files.GITHUB_OUTPUT, 'utf8')),
    state: readFileCommands(await readFile(files.GITHUB_STATE, 'utf8')),
    summary: await readFile(files.GITHUB_STEP_SUMMARY, 'utf8'),
    annotations,
    masks,
    leftovers: (await readdir(runnerTemp, { recursive: true })).sort(),
  }
}

/** This process's variables without those of a runner that it may itself run under. */
function foreignVariables(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(?:GITHUB|RUNNER|ACTIONS|INPUT|STATE)_|^NODE_OPTIONS$/.test(name),
    ),
  )
}

interface ActionYml {
  readonly main: string
  readonly post: string
  readonly defaults: Readonly<Record<string, string>>
}

async function readActionYml(): Promise<ActionYml> {
  const action = parse(await readFile(join(REPOSITORY, 'action.yml'), 'utf8')) as {
    readonly inputs: Readonly<Record<string, { readonly default?: unknown } | null>>
    readonly runs: { readonly main: string; readonly post?: string }
  }
  const defaults = Object.entries(action.inputs).map(([name, input]) => [name, defaultText(input?.default)])
  return {
    main: action.runs.main,
    post: action.runs.post ?? action.runs.main,
    defaults: Object.fromEntries(defaults) as Readonly<Record<string, string>>,
  }
}

/** The runner evaluates expressions in defaults; here there is no token, so each gives an empty string. */
function defaultText(value: unknown): string {
  const text = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
  return text.replaceAll(/\$\{\{.*?\}\}/g, '')
}

/**
 * The INPUT_ variables: one for every input of action.yml, upper-cased, blanks as `_`, hyphens kept. A name that
 * action.yml does not have is a mistake of the caller (GitHub would only warn).
 */
function inputVariables(action: ActionYml, given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const unknown = Object.keys(given).filter((name) => !(name in action.defaults))
  if (unknown.length > 0) throw new Error(`action.yml has no input ${unknown.join(', ')}`)
  const inputs = Object.entries({ ...action.defaults, ...given })
  return Object.fromEntries(inputs.map(([name, value]) => [`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value]))
}

/** Reads GITHUB_OUTPUT's format: `name=value`, or `name<<DELIMITER`, lines, `DELIMITER`. The last value of a name wins. */
export function readFileCommands(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {}
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? ''
    if (line === '') continue
    const heredoc = /^([^=]*?)<<(.+)$/.exec(line)
    if (heredoc === null) {
      const at = line.indexOf('=')
      if (at < 0) throw new Error(`not a file command: ${line}`)
      values[line.slice(0, at)] = line.slice(at + 1)
      continue
    }
    const [, name = '', delimiter = ''] = heredoc
    const end = lines.indexOf(delimiter, i + 1)
    if (end < 0) throw new Error(`${name}: the delimiter ${delimiter} is missing`)
    values[name] = lines.slice(i + 1, end).join('\n')
    i = end
  }
  return values
}

interface Commands {
  readonly annotations: readonly Annotation[]
  readonly masks: readonly string[]
}

/** Reads the workflow commands that a runner would obey, `::stop-commands::` included. */
export function readCommands(stdout: string): Commands {
  const annotations: Annotation[] = []
  const masks: string[] = []
  let resume: string | undefined
  for (const line of stdout.split(/\r?\n/)) {
    const match = /^\s*::([a-z-]+|[^:\s]+)(?: (.*?))?::(.*)$/.exec(line)
    if (match === null) continue
    const [, command = '', propertyText = '', message = ''] = match
    if (resume !== undefined) {
      if (command === resume) resume = undefined
      continue
    }
    if (command === 'stop-commands') resume = message
    else if (command === 'add-mask') masks.push(unescapeData(message))
    else if (command === 'error' || command === 'warning' || command === 'notice') {
      const properties = readProperties(propertyText)
      annotations.push({
        level: command,
        message: unescapeData(message),
        file: properties.get('file'),
        line: numberOf(properties.get('line')),
        endLine: numberOf(properties.get('endLine')),
        title: properties.get('title'),
      })
    }
  }
  return { annotations, masks }
}

function readProperties(text: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>()
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=')
    if (at > 0) {
      const value = pair
        .slice(at + 1)
        .replaceAll('%3A', ':')
        .replaceAll('%2C', ',')
      properties.set(pair.slice(0, at).trim(), unescapeData(value))
    }
  }
  return properties
}

function unescapeData(text: string): string {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}
