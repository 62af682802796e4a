/** A matrix over targets: jobs hand their sizes over, one job reports on all, with the real `@actions/artifact`. */
import { describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { startArtifactService, REPOSITORY, type ArtifactService } from '../support/artifact-service.ts'
import type { RunToken } from '../support/artifact-token.ts'
import { startGithubApi, type GithubApi } from '../support/github-api.ts'
import { startGithubFront } from '../support/github-front.ts'
import { ReviewedProject, type RunOptions } from '../support/reviewed-project.ts'
import type { Step } from '../support/step.ts'

const TARGETS = ['one', 'two', 'three']
const dockerfile = (name: string): string =>
  TARGETS.map((target) => `FROM alpine:3.22 AS ${target}\nCOPY ${target} /app\nRUN echo ${name} > /name\n`).join('')
const noise = (bytes: number): string => randomBytes((bytes * 3) / 4).toString('base64')

class Matrix {
  readonly #project: ReviewedProject
  readonly #artifacts: ArtifactService
  #runId = 500

  constructor(project: ReviewedProject, artifacts: ArtifactService) {
    this.#project = project
    this.#artifacts = artifacts
  }

  get runId(): number {
    return this.#runId
  }

  /** Plan, a job for each target that changed, report. */
  async run(
    kind: 'push' | 'review',
    options: RunOptions & {
      readonly skipLegs?: readonly string[]
      readonly inputs?: Readonly<Record<string, string>>
    } = {},
  ): Promise<{ readonly plan: Step; readonly legs: readonly string[]; readonly report: Step }> {
    this.#runId++
    const plan = await this.step(kind, { mode: 'plan', targets: TARGETS.join(',') })
    const { include } = JSON.parse(plan.outputs['matrix'] ?? '') as { include: readonly { readonly target: string }[] }
    const legs = include.map(({ target }) => target)
    for (const target of legs.filter((name) => options.skipLegs?.includes(name) !== true)) {
      const leg = await this.step(kind, { targets: target, 'job-total': String(legs.length) })
      if (leg.code !== 0) throw new Error(leg.stdout)
    }
    return { plan, legs, report: await this.report(kind, plan, options.inputs) }
  }

  async report(kind: 'push' | 'review', plan: Step, inputs: Readonly<Record<string, string>> = {}): Promise<Step> {
    return await this.step(kind, { mode: 'report', plan: plan.outputs['plan'] ?? '', ...inputs })
  }

  async step(kind: 'push' | 'review', inputs: Readonly<Record<string, string>>, attempt = 1): Promise<Step> {
    const env = jobEnv(this.#artifacts, { runId: this.#runId, attempt })
    return await this.#project[kind]({ inputs, env })
  }
}

/** What a job has of the artifact service; the REST API is another stand-in's. */
function jobEnv(artifacts: ArtifactService, token: RunToken): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(artifacts.env(token)).filter(([name]) => name !== 'GITHUB_API_URL'))
}

async function project(api: GithubApi): Promise<ReviewedProject> {
  const made = await ReviewedProject.make({ one: noise(100_000), two: noise(100_000), three: noise(100_000) }, api)
  await made.commit({ Dockerfile: dockerfile(made.name) })
  return made
}

describe('the report of a matrix', () => {
  test('is one comment on what was built and on what was not', async () => {
    await using api = await startGithubApi({ repository: REPOSITORY })
    await using artifacts = await startArtifactService()
    await using made = await project(api)
    const matrix = new Matrix(made, artifacts)
    const main = await matrix.run('push')
    expect(main.legs).toEqual(TARGETS)
    expect([main.report.code, main.report.warnings]).toEqual([0, []])
    expect(Object.keys(main.report.images)).toEqual(TARGETS)

    await made.propose({ two: noise(900_000) })
    const pull = await matrix.run('review', { inputs: { 'size-budgets': 'two=100MB' } })
    expect(pull.legs).toEqual(['two'])
    expect([pull.report.code, pull.report.warnings]).toEqual([0, []])
    const [comment = '', ...others] = made.comments()
    expect(others).toEqual([])
    expect(comment).toMatch(/### Image sizes: .*`two` .*\+\d/)
    expect(comment).toContain('2 unchanged targets')
    expect(comment).toContain('`COPY two /app`')
    expect(comment).toContain('the base commit on `main`')
    expect(pull.report.outputs['comment-url']).toMatch(/issuecomment/)

    // The next push of the pull request changes another target; the first one has still grown, and it is still told why.
    await made.propose({ three: noise(600_000) })
    const next = await matrix.run('review')
    expect(next.legs).toEqual(['three'])
    expect(next.report.warnings).toEqual([])
    const [after = ''] = made.comments()
    expect(after).toContain('`COPY two /app`')
    expect(after).toContain('`COPY three /app`')
    expect(after).toContain('1 unchanged target')
  }, 300_000)

  test('names the jobs of which nothing came, and takes the latest attempt of those that ran again', async () => {
    await using api = await startGithubApi({ repository: REPOSITORY })
    await using artifacts = await startArtifactService()
    await using made = await project(api)
    const matrix = new Matrix(made, artifacts)
    await matrix.run('push')
    await made.propose({ one: noise(500_000), two: noise(400_000) })
    const partial = await matrix.run('review', { skipLegs: ['two'] })
    expect(partial.report.code).toBe(0)
    expect(partial.report.warnings).toEqual([expect.stringMatching(/No sizes were handed over for two/)])
    expect(made.comments()[0]).toMatch(/No sizes were handed over for `two`/)
    expect(made.comments()[0]).toContain('`COPY one /app`')

    const other = await matrix.step('review', { targets: 'one', id: 'other', 'job-total': '1' })
    expect(other.stdout).toContain('The only job of a matrix: its sizes are handed over')
    const again = await matrix.step('review', { targets: 'two', 'job-total': '2' })
    expect(again.code).toBe(0)
    const whole = await matrix.report('review', partial.plan)
    expect(whole.warnings).toEqual([])
    expect(made.comments()[0]).not.toContain('No sizes were handed over')
    expect(made.comments()[0]).toContain('`COPY two /app`')
    expect(made.comments()[0]).not.toContain('`other`')
  }, 300_000)

  test('of a fork’s pull request is written by a run that may, from what the other handed over', async () => {
    await using api = await startGithubApi({ repository: REPOSITORY })
    await using artifacts = await startArtifactService()
    await using made = await project(api)
    const matrix = new Matrix(made, artifacts)
    await matrix.run('push')
    await made.propose({ one: noise(500_000) })
    const fork = 'other/repo'
    const pull = api.repository.pulls.get(made.number)
    if (pull === undefined) throw new Error('there is no pull request')
    api.repository.pulls.set(made.number, { ...pull, headRepo: fork })
    const env = jobEnv(artifacts, { runId: 900 })
    const inputs = { targets: TARGETS.join(',') }
    const built = await made.review({ fork, pullRequests: 'read', inputs, env })
    expect([built.code, made.comments(), built.warnings]).toEqual([0, [], []])
    expect(built.stdout).not.toContain('::notice')

    const origin = artifacts.env({ runId: 901 })['GITHUB_API_URL'] ?? ''
    await using front = await startGithubFront(api.url, { url: origin, token: artifacts.tokens.actionsRead })
    const report = async (id: number): Promise<Step> => {
      const [main, head] = [await made.git('rev-parse', 'main'), await made.git('rev-parse', 'topic')]
      const run = {
        ...{ id, run_attempt: 1, head_sha: head, head_branch: 'topic', event: 'pull_request', conclusion: 'success' },
        ...{ head_repository: { full_name: fork }, pull_requests: [] },
      }
      const event = { workflow_run: run, repository: { full_name: REPOSITORY, default_branch: 'main' } }
      const env = { GITHUB_EVENT_NAME: 'workflow_run', GITHUB_REF: 'refs/heads/main', GITHUB_SHA: main }
      return await made.run(event, { ...env, GITHUB_API_URL: front.url }, { inputs: { mode: 'report' } })
    }
    const told = await report(900)
    expect([told.code, told.warnings]).toEqual([0, []])
    expect(made.comments()).toHaveLength(1)
    expect(made.comments()[0]).toContain('`COPY one /app`')

    // Its next run is a matrix, one job of which hands nothing over: the plan tells of the others.
    await made.propose({ two: noise(600_000) })
    const step = async (own: Readonly<Record<string, string>>): Promise<Step> =>
      await made.review({ fork, pullRequests: 'read', inputs: own, env: jobEnv(artifacts, { runId: 902 }) })
    const plan = await step({ ...inputs, mode: 'plan' })
    expect([plan.outputs['changed'], plan.outputs['unchanged']]).toEqual(['["one","two"]', '["three"]'])
    expect((await step({ targets: 'two', 'job-total': '2' })).code).toBe(0)
    const matrixTold = await report(902)
    expect([matrixTold.code, matrixTold.warnings]).toEqual([0, [expect.stringMatching(/No sizes .* for one on linux/)]])
    const [comment = '', ...others] = made.comments()
    expect(others).toEqual([])
    expect(comment).toContain('`COPY two /app`')
    expect(comment).toContain('1 unchanged target')
    expect(comment).toMatch(/No sizes were handed over for `one`/)
    expect(JSON.parse(matrixTold.outputs['sizes'] ?? '')).toMatchObject({ targets: { three: { 'linux/amd64': {} } } })
  }, 300_000)

  test('is left for another run where the token may not write, and by no run that may', async () => {
    await using api = await startGithubApi({ repository: REPOSITORY })
    await using artifacts = await startArtifactService()
    await using made = await project(api)
    const inputs = { targets: 'one' }
    const handed = (): readonly string[] => artifacts.stats().artifacts.map(({ name }) => name)
    const review = async (runId: number, options: RunOptions): Promise<Step> =>
      await made.review({ ...options, inputs: { ...inputs, ...options.inputs }, env: jobEnv(artifacts, { runId }) })
    expect((await made.push({ inputs, env: jobEnv(artifacts, { runId: 950 }) })).code).toBe(0)
    await made.propose({ one: noise(500_000) })
    expect((await review(951, { pullRequests: 'write' })).warnings).toEqual([])
    expect(made.comments()).toHaveLength(1)
    expect((await review(952, { pullRequests: 'read', inputs: { comment: 'never' } })).warnings).toEqual([])
    expect(handed()).toEqual([])
    await made.propose({ one: noise(700_000) })
    const denied = await review(953, { pullRequests: 'read' })
    expect([denied.code, denied.warnings]).toEqual([0, [expect.stringContaining('No comment was written')]])
    expect(handed()).toEqual([expect.stringContaining('.one.linux-amd64.')])
  }, 300_000)
})
