/** A repository as GitHub has it while a pull request is reviewed: real git, runs for pushes and for the merge, a REST API. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runProcess } from '../../src/process.ts'
import { workspace, type Workspace } from './engine.ts'
import type { GithubApi } from './github-api.ts'
import { fresh, step, type Step } from './step.ts'

type Inputs = Readonly<Record<string, string>>
export type Files = Readonly<Record<string, string>>

export interface RunOptions {
  readonly inputs?: Inputs
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Of the token. */
  readonly pullRequests?: 'write' | 'read' | 'none'
}

export class ReviewedProject {
  readonly #space: Workspace
  readonly #api: GithubApi
  readonly #event: string
  /** Text that no other project has built. */
  readonly name = fresh()
  #number = 0
  #head = ''
  #run = 100

  private constructor(space: Workspace, api: GithubApi) {
    this.#space = space
    this.#api = api
    this.#event = join(space.tempRoot, 'event.json')
  }

  static async make(files: Files, api: GithubApi): Promise<ReviewedProject> {
    const space = await workspace({})
    const project = new ReviewedProject(space, api)
    await project.git('init', '--quiet', '--initial-branch=main')
    await project.commit(files)
    return project
  }

  get directory(): string {
    return this.#space.directory
  }

  get number(): number {
    return this.#number
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#space[Symbol.asyncDispose]()
  }

  async git(...args: readonly string[]): Promise<string> {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false']
    const { code, stdout, stderr } = await runProcess('git', [...identity, '-C', this.directory, ...args])
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }

  /** Writes files and commits all; GitHub knows the commit then. */
  async commit(files: Files, message = 'change'): Promise<string> {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.directory, name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, content)
    }
    await this.git('add', '--all')
    await this.git('commit', '--quiet', '--allow-empty', '--message', message)
    return await this.#know('HEAD')
  }

  /** Builds main as it is, as a push does. */
  async push(options: RunOptions = {}): Promise<Step> {
    await this.git('checkout', '--quiet', 'main')
    const after = await this.git('rev-parse', 'HEAD')
    const before = await this.git('rev-parse', 'HEAD~1').catch(() => '0'.repeat(40))
    return await this.run(
      { ref: 'refs/heads/main', after, before, repository: this.#repository() },
      { GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/heads/main', GITHUB_REF_NAME: 'main', GITHUB_SHA: after },
      options,
    )
  }

  /** Opens a pull request with these files, or pushes to it. */
  async propose(files: Files, labels: readonly string[] = []): Promise<void> {
    const isOpen = this.#number !== 0
    await (isOpen ? this.git('checkout', '--quiet', 'topic') : this.git('checkout', '--quiet', '-b', 'topic', 'main'))
    this.#head = await this.commit(files, 'proposal')
    if (isOpen) {
      const pull = this.#api.repository.pulls.get(this.#number)
      if (pull !== undefined) this.#api.repository.pulls.set(this.#number, { ...pull, headSha: this.#head, labels })
    } else {
      this.#number = this.#api.repository.addPull({ headSha: this.#head, labels }).number
    }
  }

  /** Builds the merge of the pull request with main, as GitHub checks it out. */
  async review(options: RunOptions & { readonly fork?: string } = {}): Promise<Step> {
    const { base, merge } = await this.#merge()
    const name = this.#api.repository.name
    const pull = {
      number: this.#number,
      head: { sha: this.#head, ref: 'topic', repo: { full_name: options.fork ?? name } },
      base: { sha: base, ref: 'main', repo: { full_name: name } },
      user: { login: 'octocat' },
    }
    const ref = `refs/pull/${this.#number}/merge`
    return await this.run(
      { number: this.#number, pull_request: pull, repository: this.#repository() },
      {
        ...{ GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: ref, GITHUB_REF_NAME: `${this.#number}/merge` },
        ...{ GITHUB_BASE_REF: 'main', GITHUB_HEAD_REF: 'topic', GITHUB_SHA: merge },
      },
      options,
    )
  }

  /** Builds the pull request in the merge queue, behind nobody. */
  async queue(options: RunOptions = {}): Promise<Step> {
    const { base, merge } = await this.#merge()
    const ref = `refs/heads/gh-readonly-queue/main/pr-${this.#number}-${base}`
    const group = { head_sha: merge, head_ref: ref, base_sha: base, base_ref: 'refs/heads/main' }
    const env = { GITHUB_EVENT_NAME: 'merge_group', GITHUB_REF: ref, GITHUB_SHA: merge }
    return await this.run(
      { action: 'checks_requested', merge_group: group, repository: this.#repository() },
      { ...env, GITHUB_REF_NAME: ref.slice('refs/heads/'.length) },
      options,
    )
  }

  /** Builds the branch of the pull request because somebody asked for it. */
  async dispatch(options: RunOptions = {}): Promise<Step> {
    await this.git('checkout', '--quiet', 'topic')
    const env = { GITHUB_EVENT_NAME: 'workflow_dispatch', GITHUB_REF: 'refs/heads/topic', GITHUB_SHA: this.#head }
    const event = { ref: 'refs/heads/topic', inputs: null, repository: this.#repository() }
    return await this.run(event, { ...env, GITHUB_REF_NAME: 'topic' }, options)
  }

  /** The body of the comment that there is. */
  comments(): readonly string[] {
    return [...this.#api.repository.comments.values()]
      .filter(({ pull }) => pull === this.#number)
      .map(({ body }) => body)
  }

  /** Runs the step for any event. */
  async run(event: unknown, env: Readonly<Record<string, string>>, options: RunOptions): Promise<Step> {
    await writeFile(this.#event, JSON.stringify(event))
    const { pullRequests = 'write' } = options
    return await step(this.#space, {
      inputs: {
        'cache-backend': 'directory',
        'cache-dir': join(this.#space.tempRoot, 'cache'),
        'github-token': this.#api.token({ pullRequests }),
        ...options.inputs,
      },
      env: {
        ...this.#api.env(),
        ...{ GITHUB_ACTIONS: 'true', GITHUB_EVENT_PATH: this.#event, GITHUB_SERVER_URL: 'https://github.com' },
        ...{ GITHUB_RUN_ID: String(this.#run++), GITHUB_RUN_ATTEMPT: '1' },
        ...env,
        ...options.env,
      },
    })
  }

  async #merge(): Promise<{ readonly base: string; readonly merge: string }> {
    await this.git('checkout', '--quiet', '--detach', 'main')
    const base = await this.git('rev-parse', 'HEAD')
    await this.git('merge', '--quiet', '--no-ff', '--message', 'merge', 'topic')
    return { base, merge: await this.git('rev-parse', 'HEAD') }
  }

  #repository(): object {
    return { full_name: this.#api.repository.name, default_branch: 'main' }
  }

  async #know(ref: string): Promise<string> {
    const [sha = '', ...parents] = (await this.git('rev-list', '--parents', '--max-count=1', ref)).split(' ')
    this.#api.repository.commits.set(sha, { sha, parents })
    const branch = await this.git('rev-parse', '--abbrev-ref', 'HEAD')
    this.#api.repository.branches.set(branch, sha)
    return sha
  }
}
