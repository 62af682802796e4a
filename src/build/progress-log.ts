/**
 * The live log of a build: each step's output as it comes, prefixed with its stage and place; one line when a step
 * ends; what is cached folded by stage; BuildKit's housekeeping only where it is slow or fails; a sign of life from
 * steps that are silent. Every line begins with a sign or a bracket of ours, so that nothing a command prints can
 * be a workflow command.
 */
import { isInstruction, type ProgressListener, type Step } from './progress.ts'
import type { StatusEvent } from './rawjson.ts'
import { twinKey } from './twin-steps.ts'

export interface ProgressLogOptions {
  readonly write: (line: string) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface ProgressLog extends ProgressListener {
  /** To be called every few seconds. */
  tick(): void
  /** The build has ended: writes what was held back. */
  finish(): void
}

const QUIET_MS = 20_000
const QUIET_AGAIN_MS = 60_000
const SLOW_MS = 2_000
const LONGEST_TEXT = 100

interface Seen {
  ended: boolean
  failed: boolean
  shownMs: number
  headed: boolean
  activeMs: number
  beatMs: number
  status: string
}

export function progressLog({ write, now }: ProgressLogOptions): ProgressLog {
  const seen = new Map<string, Seen>()
  const running = new Map<string, Step>()
  const cached = new Map<string, Step[]>()
  /** Instructions that ran: a twin of one that is found in the cache afterwards is no news. */
  const ran = new Set<string>()

  const see = (step: Step): Seen => {
    const known = seen.get(step.id)
    if (known !== undefined) return known
    const fresh = {
      ended: false,
      failed: false,
      shownMs: 0,
      headed: false,
      activeMs: now(),
      beatMs: -Infinity,
      status: '',
    }
    seen.set(step.id, fresh)
    return fresh
  }
  const flushCached = (): void => {
    for (const steps of cached.values()) writeCached(steps, write)
    cached.clear()
  }
  const ended = (step: Step, state: Seen): void => {
    // A step may end twice: it looks for its cache first. Only the second, real run is worth another line, and a failure.
    const again = step.status === 'failed' ? state.failed : state.ended && step.durationMs - state.shownMs < 500
    if (again) return
    state.ended = true
    state.failed = step.status === 'failed'
    state.shownMs = step.durationMs
    if (step.status === 'canceled' || (step.status !== 'failed' && isNoise(step))) return
    if (step.status === 'cached') {
      if (ran.has(twinKey(step))) return
      const key = stageLabel(step)
      cached.set(key, [...(cached.get(key) ?? []), step])
      return
    }
    flushCached()
    if (isAbsentCache(step)) {
      write(`– ${label(step)}${shortened(step.text.replace(IMPORT, 'no cache yet in '))}`)
      return
    }
    ran.add(twinKey(step))
    const sign = step.status === 'failed' ? '✗' : '✓'
    const outcome = step.status === 'failed' ? `failed after ${seconds(step.durationMs)}` : seconds(step.durationMs)
    write(`${sign} ${label(step)}${shortened(step.text)} ${outcome}`)
  }
  return {
    onStep: (step) => {
      const state = see(step)
      if (step.status === 'running') {
        if (!running.has(step.id)) state.activeMs = now()
        running.set(step.id, step)
      } else running.delete(step.id)
      if (step.status !== 'running' && step.status !== 'waiting') ended(step, state)
    },
    onLine: (step, line) => {
      const state = see(step)
      state.activeMs = now()
      if (line.trim() === '') return
      flushCached()
      if (!state.headed) write(`▸ ${label(step)}${shortened(step.text)}`)
      state.headed = true
      write(`${label(step) || '· '}${line}`)
    },
    onStatus: (step, status) => {
      const state = see(step)
      if (!status.completed) state.status = statusText(status)
    },
    tick: () => {
      for (const step of running.values()) {
        const state = see(step)
        const quiet = now() - state.activeMs
        if (quiet < QUIET_MS || now() - state.beatMs < QUIET_AGAIN_MS) continue
        state.beatMs = now()
        const elapsed = now() - (step.startedMs ?? state.activeMs)
        const doing = state.status === '' ? '' : `, ${state.status}`
        write(`… ${label(step)}${shortened(step.text)} still running (${seconds(elapsed)}${doing})`)
      }
    },
    finish: flushCached,
  }
}

/** `[builder 4/6] `, `[linux/arm64 builder 4/6] `, `[2/3] `; the target for steps beside the stages. */
export function label(step: Step): string {
  if (step.place === undefined)
    return step.targets.length === 1 && step.kind !== 'image' ? `[${step.targets.join()}] ` : ''
  return `[${[stageLabel(step), `${step.place}/${step.total ?? '?'}`].filter((part) => part !== '').join(' ')}] `
}

function stageLabel(step: Step): string {
  const name = step.stageName?.replace(/^stage-(?=\d+$)/, 'stage ')
  const file = step.source?.file
  // In each of several Dockerfiles there is a last stage without a name; the end of a long path tells more than its beginning.
  const place = file === undefined || name?.startsWith('stage ') === false ? name : file.replace(/^.+(?=.{39}$)/s, '…')
  return [step.platform, place].filter((part) => part !== undefined).join(' ')
}

function writeCached(steps: readonly Step[], write: (line: string) => void): void {
  const [first] = steps
  if (first === undefined) return
  if (steps.length === 1) write(`✓ ${label(first)}${shortened(first.text)} cached`)
  else write(`✓ [${stageLabel(first) || 'steps'}] ${steps.length} steps cached`)
}

/** https://github.com/moby/buildkit/blob/v0.25.2/solver/llbsolver/bridge.go (the build goes on without it) */
const IMPORT = /^importing cache manifest from /

function isAbsentCache({ status, text, error }: Step): boolean {
  return status === 'failed' && IMPORT.test(text) && /not found|unknown to registry|404/i.test(error ?? '')
}

/** Housekeeping, and images that are there already: of interest only when slow. */
function isNoise(step: Step): boolean {
  if (isInstruction(step)) return false
  return step.durationMs < SLOW_MS
}

function statusText(status: StatusEvent): string {
  const text = status.id.replace(/@?sha256:[0-9a-f]{64}/, '').trim()
  const share = status.total > 0 ? ` ${Math.floor((100 * status.current) / status.total)} %` : ''
  return /^[\w ./:-]{1,80}$/.test(text) ? `${text}${share}` : ''
}

function shortened(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT - 1)}…`
}

/** `0.4s`, `34.1s`, `2m05s` */
export function seconds(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`
  const whole = Math.round(ms / 1000)
  return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`
}
