/**
 * Texts that the jobs of a run hand over to each other as artifacts, by `@actions/artifact` in a child process
 * (`artifact-client.ts`). A handover never fails a build: what went wrong is a sentence in the outcome.
 */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from '../process.ts'
import { ENTRY_NAME } from './artifact-name.ts'
import { failure, hideSignatures, retryCause } from './handover-fault.ts'
import type { ArtifactPlace, FetchLimits, HandoverAnswer, HandoverFault, HandoverRequest } from './handover-protocol.ts'
import { readArtifact } from './zip-entry.ts'

export interface HandoverOptions {
  /** The action's environment; the child gets what it needs of it. */
  readonly env: NodeJS.ProcessEnv
  /** `dist/artifact-client.js`. */
  readonly clientPath: string
  /** A folder of the step's own, absolute; made if need be, and removed afterwards. */
  readonly folder: string
  /** What the toolkit prints, line by line. */
  readonly debug?: ((line: string) => void) | undefined
  /** Milliseconds for the whole. Default 45 s to upload, 120 s to fetch. */
  readonly timeoutMs?: number | undefined
  /** Where they differ from the default: 500 artifacts, 1 MB each, 25 s each. */
  readonly limits?: Partial<FetchLimits> | undefined
}

export interface HandedOver {
  readonly name: string
  readonly text: string
}

/** An artifact of which nothing is used. */
export interface LeftOut {
  /** Untrusted. */
  readonly name: string
  /** Completes "it was left out: …". */
  readonly reason: string
}

/** `none`: there are no artifacts here, outside of GitHub Actions. */
export type UploadOutcome =
  | { readonly kind: 'uploaded'; readonly bytes: number }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly why: HandoverFault; readonly warning: string }

export type FetchOutcome =
  | {
      readonly kind: 'fetched'
      readonly texts: readonly HandedOver[]
      readonly left: readonly LeftOut[]
      /** Where the time was up. */
      readonly warning?: string | undefined
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly why: HandoverFault; readonly warning: string }

type Failure = Extract<HandoverAnswer, { kind: 'failed' }>

const LIMITS: FetchLimits = { artifacts: 500, bytes: 1_000_000, timeMs: 25_000 }
/** Of all texts together. */
const MAX_TEXTS = 64_000_000
const NODE_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=128', '--v8-pool-size=1']

/** What the toolkit reads, and what finds and trusts the service. The user's secrets are not among it. */
const PASSED_ON = [
  'ACTIONS_ORCHESTRATION_ID',
  'ACTIONS_RESULTS_URL',
  'ACTIONS_RUNTIME_TOKEN',
  'GITHUB_API_URL',
  'GITHUB_RETENTION_DAYS',
  'GITHUB_SERVER_URL',
  'HOME',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'PATH',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
  ...['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]),
]

/** Whether a step can hand over at all: the runner tells steps of actions where the service is. */
export function artifactsAreHere(env: NodeJS.ProcessEnv): boolean {
  return (env['ACTIONS_RUNTIME_TOKEN'] ?? '') !== '' && (env['ACTIONS_RESULTS_URL'] ?? '') !== ''
}

/**
 * Hands a text over to later jobs of this run, under a name by `artifactName`.
 * @param retentionDays after which GitHub removes it
 */
export async function uploadText(
  { name, text, retentionDays }: HandedOver & { readonly retentionDays: number },
  options: HandoverOptions,
): Promise<UploadOutcome> {
  if (!artifactsAreHere(options.env)) return { kind: 'none' }
  const { folder, timeoutMs = 45_000 } = options
  const file = join(folder, ENTRY_NAME)
  return await inFolder(folder, async () => {
    await writeFile(file, text)
    const request: HandoverRequest = { op: 'upload', name, file, folder, retentionDays }
    const [outcome] = await ask(request, { ...options, timeoutMs })
    if (outcome?.kind === 'uploaded') return outcome
    const { why, reason } = outcome?.kind === 'failed' ? outcome : UNEXPECTED
    const sentence =
      why === 'exists'
        ? `This run has an artifact ${name} already, so another step with the same id, targets and platforms handed its sizes over, and these are not in the report: give each step an id of its own.`
        : `The sizes could not be handed over to the report job: ${reason}.`
    return { kind: 'failed', why, warning: sentence }
  })
}

/**
 * Gets what legs of a run handed over: of each leg what its highest attempt did.
 * @param places of this run `own`; after the first attempt the run itself, too, as the runner's token gives no artifacts
 *   of earlier ones (https://github.com/actions/download-artifact/issues/486)
 */
export async function fetchTexts(places: readonly ArtifactPlace[], options: HandoverOptions): Promise<FetchOutcome> {
  const usable = places.filter((place) => place !== 'own' || artifactsAreHere(options.env))
  if (usable.length === 0) return { kind: 'none' }
  const { folder, timeoutMs = 120_000 } = options
  const limits = { ...LIMITS, ...options.limits }
  return await inFolder(folder, async () => {
    const answers = await ask({ op: 'fetch', places: usable, folder, limits }, { ...options, timeoutMs })
    const failed = answers.find((answer) => answer.kind === 'failed')
    const fetched = answers.filter((answer) => answer.kind === 'fetched').sort((a, b) => (a.name < b.name ? -1 : 1))
    const left: LeftOut[] = answers.flatMap((answer) =>
      answer.kind === 'left' ? [{ name: answer.name, reason: answer.reason }] : [],
    )
    const texts: HandedOver[] = []
    let total = 0
    for (const { name, file } of fetched) {
      const read = await readBounded(file, limits.bytes)
      if (read.kind === 'refused') left.push({ name, reason: read.reason })
      else if ((total += read.text.length) > MAX_TEXTS) left.push({ name, reason: 'there is too much of all together' })
      else texts.push({ name, text: read.text })
    }
    if (failed === undefined) return { kind: 'fetched', texts, left }
    const warning = `What the jobs of this run handed over could not be fetched: ${failed.reason}.`
    return texts.length > 0 ? { kind: 'fetched', texts, left, warning } : { kind: 'failed', why: failed.why, warning }
  })
}

async function readBounded(file: string, maxBytes: number): ReturnType<typeof readText> {
  const { size } = await stat(file)
  return size > maxBytes ? { kind: 'refused', reason: `it is larger than ${maxBytes} bytes` } : readText(file, maxBytes)
}

async function readText(file: string, maxBytes: number): Promise<ReturnType<typeof readArtifact>> {
  return readArtifact(await readFile(file), ENTRY_NAME, maxBytes)
}

async function inFolder<T extends UploadOutcome | FetchOutcome>(
  folder: string,
  work: () => Promise<T>,
): Promise<T | Extract<UploadOutcome, { kind: 'failed' }>> {
  try {
    await mkdir(folder, { recursive: true })
    return await work()
  } catch (error) {
    // Such as a full disk.
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', why: 'service', warning: `Sizes could not be handed over between jobs: ${reason}.` }
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
  }
}

const UNEXPECTED: Failure = {
  kind: 'failed',
  why: 'service',
  reason: 'the artifact client gave an answer to another question',
}

/** All answers to a request; the last tells how it ended. The child is gone afterwards. */
async function ask(
  request: HandoverRequest,
  { env, clientPath, folder, debug = () => undefined, timeoutMs }: HandoverOptions & { readonly timeoutMs: number },
): Promise<readonly HandoverAnswer[]> {
  const answers: HandoverAnswer[] = []
  const { promise: ended, resolve: tellEnd } = Promise.withResolvers<undefined>()
  let isOver = false
  let trouble: string | undefined
  const end = (last: HandoverAnswer): void => {
    if (isOver) return
    isOver = true
    answers.push(last)
    child.kill()
  }
  const child = startChild(clientPath, NODE_FLAGS, {
    cwd: folder,
    env: {
      ...Object.fromEntries(PASSED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
      GITHUB_WORKSPACE: folder,
      TMPDIR: folder,
    },
    onLine: (line) => {
      trouble = retryCause(line) ?? trouble
      if (!/^(?:::|$)/.test(line)) debug(hideSignatures(line))
    },
    onMessage: (message) => {
      const answer = message as HandoverAnswer
      if (answer.kind === 'fetched' || answer.kind === 'left') answers.push(answer)
      else end(answer)
    },
    onEnd: (how) => {
      end({ kind: 'failed', why: 'service', reason: `the artifact client ${how}` })
      tellEnd(undefined)
    },
  })
  const timer = setTimeout(() => {
    const inTime = `within ${Math.round(timeoutMs / 1000)} s`
    end(failure(trouble === undefined ? `there was no end of it ${inTime}` : `${trouble}, and no better ${inTime}`))
  }, timeoutMs)
  child.send(request)
  await ended
  clearTimeout(timer)
  return answers
}
