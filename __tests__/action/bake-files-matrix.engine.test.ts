/** Bake files over the jobs of a matrix: plan, a leg for each target, report; with all that a target may ask a builder for. */
import { expect, test } from '@jest/globals'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { Plan } from '../../src/plan/plan.ts'
import { startArtifactService, REPOSITORY, type ArtifactService } from '../support/artifact-service.ts'
import { startGithubApi } from '../support/github-api.ts'
import { ReviewedProject } from '../support/reviewed-project.ts'
import { fresh, type Step } from '../support/step.ts'

const NAME = fresh()

const BAKE = `
group "default" {
  targets = ["aid", "app"]
}
target "base" {
  context = "app"
  target  = "base"
}
target "app" {
  context    = "app"
  contexts   = { given = "target:base" }
  platforms  = ["linux/amd64", "linux/arm64"]
  secret     = ["id=filed,src=secret.txt", "id=named,env=THE_SECRET"]
  ssh        = ["default"]
  cache-from = ["type=local,src=kept"]
  cache-to   = ["type=local,dest=kept,mode=max"]
}
target "aid" {
  context           = "tool"
  dockerfile-inline = <<-EOT
    FROM alpine:3.22
    COPY run.sh /
    RUN sh -n /run.sh && echo $\${HOME} ${NAME}
  EOT
}
`

const APP = `FROM alpine:3.22 AS base
RUN echo ${NAME} > /name
FROM --platform=$BUILDPLATFORM alpine:3.22 AS asked
RUN --mount=type=secret,id=filed --mount=type=secret,id=named \\
    test "$(cat /run/secrets/filed /run/secrets/named)" = "$(printf 'in a file\\nin a variable')" && echo ${NAME} > /known
RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo ${NAME} > /agent
FROM alpine:3.22
COPY --from=given /name /name
COPY --from=asked /known /agent /
COPY settings /settings
`

interface Jobs {
  readonly legs: readonly string[]
  readonly plan: Step
  readonly built: readonly Step[]
  readonly report: Step
}

/** The three jobs of examples/workflows/monorepo.yml. */
async function jobs(
  made: ReviewedProject,
  kind: 'push' | 'review',
  {
    artifacts,
    runId,
    socket,
  }: { readonly artifacts: ArtifactService; readonly runId: number; readonly socket: string },
): Promise<Jobs> {
  // The REST API is another stand-in's.
  const token = Object.entries(artifacts.env({ runId })).filter(([name]) => name !== 'GITHUB_API_URL')
  const shared = join(made.directory, 'caches', 'shared')
  await mkdir(shared, { recursive: true })
  const run = async (inputs: Readonly<Record<string, string>>, env = {}): Promise<Step> => {
    const all = { 'cache-dir': shared, 'bake-files': 'docker-bake.hcl', ...inputs }
    const step = await made[kind]({ inputs: all, env: { ...Object.fromEntries(token), ...env } })
    if (step.code !== 0) throw new Error(step.stdout)
    return step
  }
  // Neither secrets nor an agent are in the job that plans.
  const plan = await run({ mode: 'plan' })
  const { include } = JSON.parse(plan.outputs['matrix'] ?? '') as {
    readonly include: readonly { readonly target: string; readonly platform: string }[]
  }
  // Legs run side by side: none has what another one saves.
  const caches = include.map(({ target }) => join(made.directory, 'caches', target))
  for (const cache of caches) await cp(shared, cache, { recursive: true })
  const built: Step[] = []
  for (const [index, { target, platform }] of include.entries()) {
    const inputs = { 'cache-dir': caches[index] ?? '', targets: target, platforms: platform, 'job-total': '2' }
    built.push(await run(inputs, { THE_SECRET: 'in a variable', SSH_AUTH_SOCK: socket }))
  }
  for (const cache of caches) await cp(cache, shared, { recursive: true })
  const legs = include.map(({ target, platform }) => `${target} ${platform}`)
  return {
    legs,
    plan,
    built,
    report: await run({ mode: 'report', comment: 'always', 'bake-files': '', plan: plan.outputs['plan'] ?? '' }),
  }
}

async function listening(socket: string): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return server
}

test('plan, legs and report: platforms, secrets, an agent, a cache of its own, an inline Dockerfile', async () => {
  await using api = await startGithubApi({ repository: REPOSITORY })
  await using artifacts = await startArtifactService()
  const files = { 'docker-bake.hcl': BAKE, 'app/Dockerfile': APP, 'app/settings': '1\n', 'tool/run.sh': 'echo 1\n' }
  await using made = await ReviewedProject.make({ ...files, '.gitignore': 'caches\nkept\nsecret.txt\nagent\n' }, api)
  await writeFile(join(made.directory, 'secret.txt'), 'in a file\n')
  const socket = join(made.directory, 'agent')
  const agent = await listening(socket)
  try {
    const main = await jobs(made, 'push', { artifacts, socket, runId: 801 })
    const plan = JSON.parse(main.plan.outputs['plan'] ?? '') as Plan
    expect(plan.stages.map(({ file, line }) => `${file ?? ''}:${line}`)).toEqual([
      'docker-bake.hcl:21', 'app/Dockerfile:1', 'app/Dockerfile:3', 'app/Dockerfile:7',
    ]) // prettier-ignore
    expect(main.legs).toEqual(['aid linux/amd64', 'app linux/amd64,linux/arm64'])
    expect(main.report.warnings).toEqual([])
    const sizes = Object.entries(main.report.images).map(([name, image]) => [name, Object.keys(image.sizes)])
    expect(sizes).toEqual([
      ['aid', ['linux/amd64']],
      ['app', ['linux/amd64', 'linux/arm64']],
    ])
    expect(main.built[1]?.masks).toEqual(expect.arrayContaining(['in a file', 'in a variable']))
    expect(await readdir(join(made.directory, 'kept'))).toContain('index.json')

    // Targets of other platforms than their neighbours' are found again by the next plan.
    await made.propose({ 'tool/run.sh': 'echo 2\n' })
    const pull = await jobs(made, 'review', { artifacts, socket, runId: 802 })
    expect(pull.legs).toEqual(['aid linux/amd64'])
    expect(pull.plan.stdout).toContain('  aid: changed (run.sh changed)')
    expect(pull.report.warnings).toEqual([])
    const [comment = '', ...others] = made.comments()
    expect(others).toEqual([])
    expect(comment).toContain('### Image sizes of `docker-bake.hcl`: no change in 2 targets')
    expect(comment).toContain('the base commit on `main`')
  } finally {
    agent.close()
  }
}, 240_000)
