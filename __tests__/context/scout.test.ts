import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ignoreFileOf } from '../../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'
import { LookAhead } from '../../src/context/look-ahead.ts'
import { startScout, type Scout } from '../../src/context/scout.ts'
import { scout as scoutFrom } from '../../src/context/scouting.ts'
import { snapshotContext } from '../../src/context/snapshot.ts'
import { runProcess } from '../../src/process.ts'
import { runAction } from '../support/action.ts'

const SMALL = { largeIndexBytes: 0 }
const ALL = { via: 'copy', paths: ['/'], exclude: [], parents: false } as const

let root: string
let env: NodeJS.ProcessEnv

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'stage-build-scout-')))
  env = { PATH: process.env['PATH'], HOME: join(root, 'nowhere'), GIT_CONFIG_NOSYSTEM: '1', GITHUB_WORKSPACE: root }
  for (let index = 0; index < 300; index++) {
    const folder = join(root, `app/${index % 7}/${index}`)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'known.ts'), `${index}\n`)
    await utimes(join(folder, 'known.ts'), 1e9, 1e9)
    await writeFile(join(folder, `new ${index}.js`), `// ${index}\n`)
  }
  await mkdir(join(root, 'left-out/below'), { recursive: true })
  await writeFile(join(root, 'left-out/below/kept'), 'x')
  await writeFile(join(root, '.dockerignore'), '.git\nleft-out\n!left-out/below\n*.md\n')
  await git('init', '--quiet')
  await git('add', '*.ts')
  await git('update-index', '--refresh')
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function git(...args: readonly string[]): Promise<void> {
  expect(await runProcess('git', args, { cwd: root, env })).toMatchObject({ code: 0 })
}

async function read(directory: string, ahead?: LookAhead): Promise<unknown> {
  const matcher = new IgnoreMatcher(ignoreFileOf(directory))
  const { digest, entries } = await (await snapshotContext({ directory, matcher, env, ahead })).read(ALL)
  return { digest, entries: [...entries] }
}

function started(): Scout {
  const scout = startScout(env, SMALL)
  if (scout === undefined) throw new Error('no scout was started')
  return scout
}

describe('what a scout found', () => {
  test.each([
    ['asked at once', 0],
    ['asked when it is through', 500],
  ])('is what a walk finds: %s', async (_, ms) => {
    const scout = started()
    await delay(ms)
    await using ahead = new LookAhead(env, { scout })
    await ahead.beginAt(root)
    expect(await read(root, ahead)).toEqual(await read(root))
    if (ms > 0) expect(ahead.listing(join(root, 'app/6/258'))?.names).toEqual(['known.ts', 'new 258.js'])
  })

  test('serves another context, too', async () => {
    const context = join(root, 'app')
    await using ahead = new LookAhead(env, { ...SMALL, scout: started() })
    await ahead.beginAt(context)
    expect(await read(context, ahead)).toEqual(await read(context))
  })

  test('is not missed where nobody said where to look', async () => {
    await using ahead = new LookAhead(env, { scout: started() })
    expect(await read(root, ahead)).toEqual(await read(root))
  })

  test('is not missed where it has died', async () => {
    const scout = started()
    await scout.worker.terminate()
    await using ahead = new LookAhead(env, { scout })
    await ahead.beginAt(root)
    expect(await read(root, ahead)).toEqual(await read(root))
  })

  test('ends with whoever was to use it', async () => {
    const scout = started()
    const ahead = new LookAhead(env, { scout })
    await ahead[Symbol.asyncDispose]()
    expect(scout.worker.threadId).toBe(-1)
  })

  test('says where it would go on', () => {
    let asked = 0
    const { paths, open } = scoutFrom(root, () => asked++ === 2)
    expect([paths[0], paths.length]).toEqual([root, 2])
    expect(open.map((path) => path.slice(root.length + 1))).toEqual(expect.arrayContaining(['app']))
    const all = scoutFrom(root, () => false)
    expect(all.open).toEqual([])
    expect(all.paths).toContain(join(root, 'left-out/below'))
    expect(all.paths).not.toContain(join(root, '.git'))
  })

  test('is nothing where the ignore file is broken', async () => {
    await writeFile(join(root, '.dockerignore'), '[\n')
    expect(scoutFrom(root, () => false)).toMatchObject({ paths: [], open: [] })
  })
})

describe('a scout is started', () => {
  test.each([
    ['in a post step', { 'STATE_is-post': 'true' }],
    ['where nothing is listed', { INPUT_MODE: 'report' }],
    ['without a workspace', { GITHUB_WORKSPACE: undefined }],
    ['for a context that is not there', { INPUT_CONTEXT: 'nowhere' }],
    ['for bake files of a stranger', { 'INPUT_BAKE-FILES': 'x.json', GITHUB_EVENT_NAME: 'pull_request_target' }],
  ])('not %s', (_, more) => {
    expect(startScout({ ...env, ...more }, SMALL)).toBeUndefined()
  })

  test('not for a small repository', () => {
    expect(startScout(env)).toBeUndefined()
  })

  test.each([
    ['the workspace', {}, ''],
    ['the context', { INPUT_CONTEXT: 'app' }, 'app'],
    ['where a link leads', { INPUT_CONTEXT: 'link' }, 'app'],
    ['the workspace of bake files', { INPUT_CONTEXT: 'app', 'INPUT_BAKE-FILES': 'x.json' }, ''],
  ])('for %s', async (_, more, directory) => {
    await symlink('app', join(root, 'link'))
    const scout = startScout({ ...env, ...more }, SMALL)
    expect(scout?.directory).toBe(directory === '' ? root : join(root, directory))
    await scout?.worker.terminate()
  })
})

test('the bundled action plans the same with a scout as without one', async () => {
  await writeFile(join(root, 'Dockerfile'), 'FROM scratch\nCOPY . .\n')
  const plan = async (): Promise<string | undefined> => {
    const { code, stdout, outputs } = await runAction({ inputs: { mode: 'plan' }, workspace: root })
    if (code !== 0) throw new Error(stdout)
    return outputs['plan']
  }
  const before = await plan()
  expect(startScout(env)).toBeUndefined()
  // An index that is large by what it says of files that a .dockerignore leaves out.
  await writeFile(join(root, '.dockerignore'), '.git\nleft-out\n!left-out/below\n*.md\nmany\n')
  const names = Array.from({ length: 9_000 }, (_, index) => `many/${'a'.repeat(60)}/${index}`)
  const lines = names.map((name) => `100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\t${name}`)
  await git('hash-object', '-w', '/dev/null')
  await writeFile(join(root, '.git/lines'), `${lines.join('\n')}\n`)
  await git('config', 'alias.fill', '!git update-index --index-info < .git/lines')
  await git('fill')
  const scout = startScout(env)
  expect(scout).toBeDefined()
  await scout?.worker.terminate()
  const print = (text: string | undefined): unknown =>
    (JSON.parse(text ?? '{}') as { readonly targets: unknown }).targets
  const after = await plan()
  await writeFile(join(root, '.git/index'), '')
  // Without git's word for anything, every file is read.
  expect(print(await plan())).toEqual(print(after))
  expect(print(before)).not.toEqual(print(after))
})

test('the bundled action knows a pattern that only Go’s expressions have', async () => {
  await writeFile(join(root, 'Dockerfile'), 'FROM scratch\nCOPY . .\n')
  await writeFile(join(root, '.dockerignore'), 'app\n.git\nx{2}*\n')
  const print = async (): Promise<unknown> => {
    const { code, stdout, outputs } = await runAction({ inputs: { mode: 'plan' }, workspace: root })
    if (code !== 0) throw new Error(stdout)
    return (JSON.parse(outputs['plan'] ?? '{}') as { readonly targets: unknown }).targets
  }
  const before = await print()
  await writeFile(join(root, 'xx'), 'left out')
  expect(await print()).toEqual(before)
  await writeFile(join(root, 'x'), 'not left out')
  expect(await print()).not.toEqual(before)
})
