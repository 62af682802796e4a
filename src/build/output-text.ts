/**
 * What the commands of a build print, made fit for a log: bytes → whole lines, masked, without control sequences, and
 * harmless to the runner. Everything here is untrusted: a RUN may print anything.
 */
import { StringDecoder } from 'node:string_decoder'

export interface OutputLines {
  /** Takes bytes of one stream (1 or 2), cut anywhere, in the middle of a character too. */
  push(stream: number, data: Buffer): void
  /** The step has ended: what is left is a line. */
  end(): void
  /** The last lines. */
  tail(): readonly string[]
}

/** A line is masked whole and then cut for show, so that a secret never straddles the cut. */
const LONGEST_LINE = 64 * 1024
const LONGEST_SHOWN = 2000

/** Collects lines; keeps the last `keep`, calls `onLine` for each. */
export function outputLines(keep: number, mask: (text: string) => string, onLine: (line: string) => void): OutputLines {
  const tail: string[] = []
  const streams = new Map<number, { readonly decoder: StringDecoder; rest: string }>()
  const emit = (raw: string): void => {
    const line = cut(shownText(mask, lastOverwrite(raw)))
    tail.push(line)
    if (tail.length > keep) tail.shift()
    onLine(line)
  }
  return {
    push: (stream, data) => {
      const state = streams.get(stream) ?? { decoder: new StringDecoder('utf8'), rest: '' }
      streams.set(stream, state)
      const lines = (state.rest + state.decoder.write(data)).split('\n')
      state.rest = (lines.pop() ?? '').slice(0, LONGEST_LINE)
      lines.forEach(emit)
    },
    end: () => {
      for (const state of streams.values()) {
        const rest = state.rest + state.decoder.end()
        state.rest = ''
        if (rest !== '') emit(rest)
      }
    },
    tail: () => [...tail],
  }
}

/** A progress bar overwrites its line with carriage returns; what stood there last is what a terminal shows. */
function lastOverwrite(line: string): string {
  return line.split('\r').findLast((part) => part !== '') ?? ''
}

function cut(line: string): string {
  return line.length <= LONGEST_SHOWN ? line : `${line.slice(0, LONGEST_SHOWN)}…`
}

/**
 * Untrusted text as it may be shown on one line: masked, without control characters, harmless to the runner. Control
 * characters go first, lest a secret that they cut in two is put together again after the masking.
 */
export function shownText(mask: (text: string) => string, text: string): string {
  return harmless(mask(withoutControls(text)))
}

/** Text without control characters and terminal sequences other than colours. */
function withoutControls(text: string): string {
  return text
    .replaceAll(/\x1b\[(?![0-9;]*m)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b(?!\[)./g, '')
    .replaceAll(/[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f\x85\u2028\u2029]/g, '')
}

/**
 * Takes out what the runner would read as a command: it reads `::name::` only at the start of a line (so lines must
 * be prefixed, which `progress-log.ts` does), but `##[name]` anywhere.
 * https://github.com/actions/runner/blob/079cdb1d05fe0ec50f8c51de5a4fa51d0eb189b0/src/Runner.Common/ActionCommand.cs
 */
function harmless(text: string): string {
  return text.replaceAll('##[', '#\u200b#[')
}
