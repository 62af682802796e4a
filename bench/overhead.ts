/**
 * What the action adds to a bare `docker buildx bake` of the same definition: the same targets, tags and pushes, run in
 * turns, each round with a change of its own so that the same steps run in both.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runStep } from '../__tests__/support/action.ts'
import { bareBake } from './bare-bake.ts'
import { median } from './median.ts'

export interface Overhead {
  /** Medians, seconds. */
  readonly action: number
  readonly bare: number
  readonly ratio: number
  readonly rounds: readonly { readonly action: number; readonly bare: number }[]
}

const PROGRAM = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("MARK") }\n'

/** Two targets on one builder stage that compiles a Go program, as most Dockerfiles do it: without a cache mount. */
const DOCKERFILE = `FROM GOLANG AS builder
WORKDIR /src
COPY go.mod main.go ./
RUN CGO_ENABLED=0 go build -o /app .
FROM ALPINE AS prod
COPY --from=builder /app /app
FROM ALPINE AS debug
COPY --from=builder /app /app
COPY --from=builder /src /src
`

export async function measureOverhead(rounds: number): Promise<Overhead> {
  const registry = process.env['STAGE_BUILD_REGISTRY'] ?? ''
  const images = process.env['STAGE_BUILD_EXTERNAL_IMAGES'] ?? ''
  const mapped = (name: string): string =>
    images
      .split('\n')
      .find((line) => line.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? name
  const context = await mkdtemp(join(tmpdir(), 'stage-build-bench-'))
  try {
    // The bare run has no source policy: both use the mapped names, so that both resolve the same images.
    const dockerfile = DOCKERFILE.replace('GOLANG', mapped('golang:1.24')).replaceAll('ALPINE', mapped('alpine:3.22'))
    await writeFile(join(context, 'Dockerfile'), dockerfile)
    await writeFile(join(context, 'go.mod'), 'module bench\n\ngo 1.22\n')
    const touch = async (): Promise<void> => {
      await writeFile(join(context, 'main.go'), PROGRAM.replace('MARK', randomUUID()))
    }
    const name = `${registry}/bench/overhead`
    await touch()
    await bareBake(context, name, ['prod', 'debug'])
    const results: { action: number; bare: number }[] = []
    for (let round = 0; round < rounds; round++) {
      await touch()
      const first = await timed(async () => {
        await action(context, name)
      })
      await touch()
      const second = await timed(async () => {
        await bareBake(context, name, ['prod', 'debug'])
      })
      results.push({ action: first, bare: second })
    }
    const medians = { action: median(results.map((r) => r.action)), bare: median(results.map((r) => r.bare)) }
    return { ...medians, ratio: medians.action / medians.bare, rounds: results }
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

async function action(context: string, name: string): Promise<void> {
  const inputs = { targets: 'prod,debug', tags: `${name}:{target}`, push: 'true' }
  const { main } = await runStep({ inputs, workspace: context })
  if (main.code !== 0) throw new Error(`the action failed:\n${main.stdout}${main.stderr}`)
}

async function timed(run: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}
