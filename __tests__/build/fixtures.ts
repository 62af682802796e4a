/** Recorded output of a real engine (docker 28.5.2, buildx 0.29.1, BuildKit 0.25). */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildProgress, type ProgressListener } from '../../src/build/progress.ts'
import { rawJsonReader } from '../../src/build/rawjson.ts'
import { layoutOf, type StageLayout } from '../../src/build/stage-layout.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'

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
  /** Where the targets are of several Dockerfiles. */
  readonly stagesOf?: (target: string | undefined) => readonly StageLayout[]
  readonly mask?: (text: string) => string
  readonly listener?: ProgressListener
}

/** Feeds a recording to the model. */
export function replay(recording: string, options: ReplayOptions): Replay {
  const progress = new BuildProgress({
    targets: options.targets.map((name) => ({ id: name, name })),
    stagesOf: options.stagesOf ?? (() => options.stages ?? []),
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
export const TWO_TARGETS = layout(
  `
FROM 127.0.0.1:5577/library/alpine:3.22 AS builder
WORKDIR /src
COPY f.txt .
RUN echo "héllo 1"; printf '::error::boo\\n##[error]boo\\n'; sleep 1; head -c 100000 /dev/urandom > /out
ENV X=1
RUN cp /out /out2

FROM builder AS test
RUN echo testing

FROM 127.0.0.1:5577/library/alpine:3.22 AS prod
COPY --from=builder /out /out
RUN echo prod && \\
    echo two
`,
)

/** The Dockerfile of the recording `failing-run`. */
export const FAILING_RUN = layout(
  `
FROM 127.0.0.1:5577/library/alpine:3.22 AS base
RUN echo one && \\
    sleep 1; echo last words >&2; \\
    exit 3
FROM base AS a
RUN true
FROM 127.0.0.1:5577/library/alpine:3.22 AS slow
RUN echo 1; sleep 30
`,
)

export function layout(dockerfile: string): readonly StageLayout[] {
  return layoutOf(parseDockerfile(dockerfile.trimStart()))
}

export function at(line: number, endLine = line): { readonly line: number; readonly endLine: number } {
  return { line, endLine }
}
