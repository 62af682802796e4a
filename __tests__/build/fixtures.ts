/** Recorded output of a real engine (docker 28.5.2, buildx 0.29.1, BuildKit 0.25). */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildProgress, type ProgressListener } from '../../src/build/progress.ts'
import { rawJsonReader } from '../../src/build/rawjson.ts'
import type { StageLayout } from '../../src/build/stage-layout.ts'

export async function readFixture(name: string): Promise<string> {
  return await readFile(join(import.meta.dirname, 'fixtures', name), 'utf8')
}

export interface Replay {
  readonly progress: BuildProgress
  /** What buildx said beside the progress. */
  readonly text: readonly string[]
}

export interface ReplayOptions {
  readonly targets: readonly string[]
  readonly stages?: readonly StageLayout[]
  readonly mask?: (text: string) => string
  readonly listener?: ProgressListener
}

/** Feeds a recording to the model. */
export function replay(recording: string, options: ReplayOptions): Replay {
  const progress = new BuildProgress({
    targets: options.targets.map((name) => ({ id: name, name })),
    stages: options.stages ?? [],
    mask: options.mask ?? ((text) => text),
    ...(options.listener === undefined ? {} : { listener: options.listener }),
  })
  const text: string[] = []
  const reader = rawJsonReader(
    (events) => {
      progress.apply(events)
    },
    (line) => text.push(line),
  )
  reader.push(recording)
  reader.end()
  return { progress, text }
}

/** The Dockerfile of the recording `two-targets`. */
export const TWO_TARGETS: readonly StageLayout[] = [
  { index: 0, name: 'builder', from: at(1), counted: [at(2), at(3), at(4), at(6)] },
  { index: 1, name: 'test', from: at(8), counted: [at(9)] },
  { index: 2, name: 'prod', from: at(11), counted: [at(12), at(13, 14)] },
]

/** The Dockerfile of the recording `failing-run`. */
export const FAILING_RUN: readonly StageLayout[] = [
  { index: 0, name: 'base', from: at(1), counted: [at(2, 4)] },
  { index: 1, name: 'a', from: at(5), counted: [at(6)] },
  { index: 2, name: 'slow', from: at(7), counted: [at(8)] },
]

export function at(line: number, endLine = line): { readonly line: number; readonly endLine: number } {
  return { line, endLine }
}
