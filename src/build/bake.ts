/**
 * One run of `docker buildx bake`: writes what it needs into a private directory, streams its progress, and leaves
 * nothing behind, however it ends. What the run means is read elsewhere (`progress.ts`, `failure.ts`, `metadata.ts`).
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bakeArgs, runDocker, type Docker } from './buildx.ts'
import type { BuildRequest } from './build-request.ts'
import { planBake, type BakePlan } from './definition.ts'
import { rawJsonReader, type ProgressEvents } from './rawjson.ts'
import { SOURCE_POLICY_VARIABLE, type SourcePolicy } from './source-policy.ts'

export interface BakeOptions {
  /** Undefined: the current one. */
  readonly builder: string | undefined
  readonly policy: SourcePolicy | undefined
  /** Where the run's private directory is made. */
  readonly tempRoot: string
  readonly signal?: AbortSignal | undefined
  /** The plan is made, the run begins. */
  readonly onPlan: (plan: BakePlan) => void
  readonly onEvents: (events: ProgressEvents) => void
}

export interface BakeResult {
  readonly plan: BakePlan
  readonly ok: boolean
  /** The metadata file's text; empty when there is none. */
  readonly metadata: string
  /** What buildx said beside the progress: on failure its error, with an excerpt of the Dockerfile. */
  readonly text: readonly string[]
}

const KEPT_LINES = 400

/** Builds all targets of a request in one run. */
export async function bake(docker: Docker, request: BuildRequest, options: BakeOptions): Promise<BakeResult> {
  const folder = await mkdtemp(join(options.tempRoot, 'stage-build-'))
  try {
    const plan = planBake(request, folder)
    options.onPlan(plan)
    const file = join(folder, 'definition.json')
    const metadataFile = join(folder, 'metadata.json')
    await writePrivate(file, JSON.stringify(plan.definition, undefined, 2))
    for (const secret of plan.files) await writePrivate(join(folder, secret.path), secret.content)
    for (const directory of plan.directories) await mkdir(directory, { recursive: true })
    const env: NodeJS.ProcessEnv = { ...plan.env }
    if (options.policy !== undefined) {
      env[SOURCE_POLICY_VARIABLE] = join(folder, 'policy.json')
      await writePrivate(join(folder, 'policy.json'), JSON.stringify(options.policy))
    }

    const text: string[] = []
    const reader = rawJsonReader(options.onEvents, (line) => {
      text.push(line)
      if (text.length > KEPT_LINES) text.shift()
    })
    const targets = plan.targets.map((target) => target.id)
    const args = bakeArgs({ file, metadataFile, builder: options.builder, allow: plan.allow, targets })
    const { code } = await runDocker(docker, args, {
      env,
      cwd: request.workspace,
      signal: options.signal,
      onStderr: (chunk) => {
        reader.push(chunk)
      },
    })
    reader.end()
    return { plan, ok: code === 0, metadata: await readIfThere(metadataFile), text }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function writePrivate(path: string, content: string): Promise<void> {
  await writeFile(path, content, { mode: 0o600 })
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return ''
  }
}
