import { describe, expect, test } from '@jest/globals'
import { chmod } from 'node:fs/promises'
import { UserError } from '../src/errors.ts'
import { readInputs } from '../src/inputs.ts'
import { runProcess } from '../src/process.ts'
import { openProject, type Project } from '../src/project.ts'
import { workspace } from './support/engine.ts'

const FROM = 'FROM scratch\n'

async function open(
  directory: string,
  given: Readonly<Record<string, string>> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<Project> {
  const { inputs } = readInputs((name) => given[name] ?? '', {})
  return await openProject(inputs, { GITHUB_WORKSPACE: directory, ...env })
}

async function refusal(...args: Parameters<typeof open>): Promise<readonly string[]> {
  try {
    await open(...args)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return error.problems.map((problem) => `${problem.message} ${problem.mend ?? ''}`)
  }
  throw new Error('it was not refused')
}

describe('the Dockerfile', () => {
  test.each<[string, Record<string, string>, string, string]>([
    ['stands in the context', {}, 'Dockerfile', 'Dockerfile'],
    ['of another directory is relative to the workspace', { context: 'app' }, 'app/dockerfile', 'app/dockerfile'],
    ['may stand outside of the context', { context: 'app', file: 'ci/prod.Dockerfile' }, 'ci/prod.Dockerfile', 'ci/prod.Dockerfile@app'],
    ['is called as the id says', { id: 'web' }, 'Dockerfile', 'web'],
  ])('%s', async (_name, inputs, dockerfileName, id) => {
    await using space = await workspace({ Dockerfile: FROM, 'app/dockerfile': FROM, 'ci/prod.Dockerfile': FROM })
    const project = await open(space.directory, inputs)
    expect(project).toMatchObject({ dockerfileName, id, parts: [{ dockerfileText: FROM }], workspace: space.directory })
  }) // prettier-ignore

  test('that is not there is told with what may be meant', async () => {
    await using space = await workspace({ 'a/Dockerfile.dev': FROM, 'a/Dockerfile.prod': FROM, 'b/x': '', 'c/Dockerfile/x': '' })
    const refused = async (inputs: Record<string, string>): Promise<string | undefined> =>
      (await refusal(space.directory, inputs))[0]
    expect(await refused({ file: 'a/Dockerfile.pord' })).toBe('There is no `a/Dockerfile.pord`. Did you mean `file: a/Dockerfile.prod`?')
    expect(await refused({ context: 'a' })).toBe('There is no `a/Dockerfile`. Beside it are `Dockerfile.dev`, `Dockerfile.prod`: name one with `file`.')
    expect(await refused({ context: 'b' })).toMatch(/^There is no `b\/Dockerfile`\. Name the Dockerfile with `file`/)
    expect(await refused({ context: 'c' })).toMatch(/^`c\/Dockerfile` is a directory, not a Dockerfile\./)
    expect(await refused({ context: 'd' })).toMatch(/^`context`: the directory `d` does not exist .*Give a directory of the checkout/)
  }) // prettier-ignore

  test('that is missing with everything else: nothing is checked out', async () => {
    await using space = await workspace()
    for (const inputs of [{}, { context: 'app' }, { file: 'x/Dockerfile' }]) {
      expect(await refusal(space.directory, inputs)).toEqual([expect.stringContaining('Add `actions/checkout` before')])
    }
  })
})

describe('files and directories that inputs name', () => {
  test('are all looked for', async () => {
    await using space = await workspace({ Dockerfile: FROM, 'dir/x': '', secret: 's', 'layout/index.json': '{}' })
    const inputs = {
      'secret-files': 'a=secret\nb=none\nc=dir',
      'build-contexts': 'd=dir\ne=none\nf=docker-image://x\ng=https://x.example/a.git\nh=oci-layout://layout\ni=git@x.example:a.git',
    } // prettier-ignore
    expect((await refusal(space.directory, inputs)).map((text) => text.split('. ')[0])).toEqual([
      '`secret-files`: `none` cannot be read: there is no such file',
      '`secret-files`: `dir` cannot be read: it is a directory',
      '`build-contexts`: `e=none`: there is no such directory',
    ])
    // A plan needs no secret.
    expect(await refusal(space.directory, { ...inputs, mode: 'plan' })).toEqual([expect.stringContaining('`e=none`')])
    expect(await open(space.directory, { 'secret-files': 'b=none', mode: 'plan' })).toBeDefined()
  })

  const asUser = process.getuid?.() === 0 ? test.skip : test
  asUser('are told when they cannot be read', async () => {
    await using space = await workspace({ Dockerfile: FROM, secret: 's' })
    await chmod(space.path('secret'), 0)
    expect(await refusal(space.directory, { 'secret-files': 'a=secret' })).toEqual([
      expect.stringContaining('permission'),
    ])
  })
})

describe('under pull_request_target', () => {
  async function git(directory: string, ...args: readonly string[]): Promise<string> {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'commit.gpgsign=false']
    const { code, stdout, stderr } = await runProcess('git', [...identity, ...args], { cwd: directory })
    if (code !== 0) throw new Error(stderr)
    return stdout.trim()
  }

  test('the base may be built; a pull request’s head, or a merge with it, may not', async () => {
    await using space = await workspace({ Dockerfile: FROM })
    const at = space.directory
    await git(at, 'init', '-q', '-b', 'main')
    await git(at, 'add', '.')
    await git(at, 'commit', '-qm', 'base')
    const base = await git(at, 'rev-parse', 'HEAD')
    await git(at, 'switch', '-qc', 'fork')
    await git(at, 'commit', '-q', '--allow-empty', '-m', 'head')
    const head = await git(at, 'rev-parse', 'HEAD')
    await space.write({ '../event.json': JSON.stringify({ pull_request: { head: { sha: head } } }) })
    const event = { GITHUB_EVENT_NAME: 'pull_request_target', GITHUB_SHA: base, GITHUB_EVENT_PATH: space.path('../event.json') }

    expect(await refusal(at, {}, event)).toEqual([
      'This job runs on `pull_request_target` and has a pull request’s head checked out: building it would run foreign code beside this repository’s secrets. Build on `pull_request` instead; where a fork’s run needs a comment, let a `workflow_run` workflow write it.',
    ])
    expect(await open(at, {}, { ...event, GITHUB_EVENT_NAME: 'pull_request' })).toBeDefined()

    await git(at, 'switch', '-q', 'main')
    expect(await open(at, {}, event)).toBeDefined()

    await git(at, 'commit', '-q', '--allow-empty', '-m', 'meanwhile')
    await git(at, 'merge', '-q', '--no-ff', '-m', 'merge', 'fork')
    expect(await refusal(at, {}, event)).toHaveLength(1)
  }) // prettier-ignore

  test('what no git knows is refused', async () => {
    await using space = await workspace({ Dockerfile: FROM })
    expect(await refusal(space.directory, {}, { GITHUB_EVENT_NAME: 'pull_request_target' })).toHaveLength(1)
  })
})
