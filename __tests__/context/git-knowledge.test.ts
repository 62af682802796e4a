import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'
import { readIgnoreFile } from '../../src/context/ignore-file.ts'
import { type ReadEntry, snapshotContext } from '../../src/context/snapshot.ts'
import { runProcess } from '../../src/process.ts'

/**
 * Whose word was taken? Every byte of the ids in the index is overwritten with this one before a snapshot is made: an
 * entry with such an id was believed, any other was read.
 */
const BELIEVED = 0xee

let temporary: string
let repo: string
let env: NodeJS.ProcessEnv

beforeEach(async () => {
  temporary = await realpath(await mkdtemp(join(tmpdir(), 'stage-build-git-')))
  repo = join(temporary, 'repo')
  // No configuration but what a test sets.
  env = { PATH: process.env['PATH'], HOME: join(temporary, 'home'), GIT_CONFIG_NOSYSTEM: '1' }
  await mkdir(repo)
  await mkdir(join(temporary, 'home'))
})

afterEach(async () => {
  await rm(temporary, { recursive: true, force: true })
})

async function git(...args: readonly string[]): Promise<string> {
  return await gitIn(repo, ...args)
}

async function gitIn(directory: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'protocol.file.allow=always']
  const { code, stdout, stderr } = await runProcess('git', [...identity, ...args], { cwd: directory, env })
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
  return stdout
}

async function write(files: Readonly<Record<string, string | Buffer>>, root = repo): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), content)
  }
}

/** A repository with these files committed, long enough ago for its index to be believed. */
async function commit(files: Readonly<Record<string, string | Buffer>>, init: readonly string[] = []): Promise<void> {
  await git('init', '--quiet', ...init)
  await write(files)
  await git('add', '--all')
  await git('commit', '--quiet', '-m', 'all')
}

/** Overwrites the ids in an index, its checksum set right, its time a second after all files of the test. */
async function forge(directory = repo, seconds = Date.now() / 1000 + 1): Promise<void> {
  const path = (await gitIn(directory, 'rev-parse', '--path-format=absolute', '--git-path', 'index')).trim()
  const bytes = await readFile(path)
  const names = (await gitIn(directory, 'ls-files', '-s', '-z')).split('\0')
  for (const id of new Set(names.map((line) => line.split(' ')[1] ?? ''))) {
    const needle = Buffer.from(id, 'hex')
    if (needle.length === 0) continue
    for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at))
      bytes.fill(BELIEVED, at, at + needle.length)
  }
  const format = bytes.length > 0 && (await gitIn(directory, 'rev-parse', '--show-object-format')).trim()
  const size = format === 'sha256' ? 32 : 20
  const end = bytes.length - size
  createHash(format === 'sha256' ? 'sha256' : 'sha1')
    .update(bytes.subarray(0, end))
    .digest()
    .copy(bytes, end)
  await writeFile(path, bytes)
  await utimes(path, seconds, seconds)
}

async function entries(
  directory = repo,
  ignore = '.git\n',
  environment = env,
): Promise<ReadonlyMap<string, ReadEntry>> {
  const matcher = new IgnoreMatcher({ name: '.dockerignore', patterns: readIgnoreFile(ignore) })
  const snapshot = await snapshotContext({ directory, matcher, env: environment })
  const content = await snapshot.read({ via: 'copy', paths: ['/'], exclude: [], parents: false })
  return new Map(Array.from(content.entries, (entry) => [entry.path, entry]))
}

/** For each file whether git's word was taken. Where it was not, the id is checked against git's own. */
async function believed(
  directory = repo,
  ignore?: string,
  environment = env,
): Promise<Readonly<Record<string, boolean>>> {
  const result: Record<string, boolean> = {}
  for (const { path, type, content } of (await entries(directory, ignore, environment)).values()) {
    if (type !== 'file' || path.endsWith('.git')) continue
    result[path] = Buffer.from(content, 'hex').every((byte) => byte === BELIEVED)
    if (result[path]) continue
    const bytes = await readFile(join(directory, path))
    const format = content.length === 64 ? 'sha256' : 'sha1'
    expect(content).toBe(createHash(format).update(`blob ${bytes.length}\0`).update(bytes).digest('hex'))
  }
  return result
}

describe('an id is taken from the index', () => {
  test('for clean tracked files, and the others are read', async () => {
    await commit({
      a: '1',
      'dir/b': '2',
      'dir/deep/c': '3',
      same: '4',
      mode: '5',
      gone: '6',
      '.gitignore': 'ignored\n',
    })
    await write({ same: 'x', ignored: '7', 'dir/new': '8' })
    await chmod(join(repo, 'mode'), 0o755)
    await rm(join(repo, 'gone'))
    await forge()
    expect(await believed()).toEqual({
      '.gitignore': true,
      a: true,
      'dir/b': true,
      'dir/deep/c': true,
      'dir/new': false,
      ignored: false,
      mode: false,
      same: false,
    })
  })

  test('not where the file was written together with the index', async () => {
    await commit({ a: '1' })
    await forge(repo, (await lstat(join(repo, 'a'))).mtimeMs / 1000)
    expect(await believed()).toEqual({ a: false })
  })

  test('not where only the times were put back after a change', async () => {
    await commit({ a: '1' })
    const { atime, mtime } = await lstat(join(repo, 'a'))
    await writeFile(join(repo, 'a'), '2')
    await utimes(join(repo, 'a'), atime, mtime)
    await forge()
    expect(await believed()).toEqual({ a: false })
  })

  test('not for assume-unchanged, skip-worktree, intent-to-add and unmerged files', async () => {
    await commit({ assumed: '1', skipped: '2', plain: '3', merged: '4' })
    await git('checkout', '--quiet', '-b', 'other')
    await write({ merged: 'other' })
    await git('commit', '--quiet', '-am', 'other')
    await git('checkout', '--quiet', '-')
    await write({ merged: 'mine' })
    await git('commit', '--quiet', '-am', 'mine')
    await expect(git('merge', 'other')).rejects.toThrow()
    await write({ intended: '5' })
    await git('add', '--intent-to-add', 'intended')
    await git('update-index', '--assume-unchanged', 'assumed')
    await git('update-index', '--skip-worktree', 'skipped')
    await forge()
    expect(await believed()).toEqual({ assumed: false, intended: false, merged: false, plain: true, skipped: false })
  })

  test.each([
    ['an index of version 4', ['update-index', '--index-version=4'], true],
    ['a split index', ['update-index', '--split-index'], false],
    ['an index with an untracked cache', ['update-index', '--force-untracked-cache'], true],
    ['an index without a checksum', ['-c', 'index.skipHash=true', 'update-index', '--force-write-index'], true],
  ])('%s', async (_name, command, expected) => {
    await commit({ a: '1', 'dir/b': '2', 'dir/c': '3', 'dir/cc/d': '4' })
    await git(...command)
    await forge()
    expect(await believed()).toEqual({ a: expected, 'dir/b': expected, 'dir/c': expected, 'dir/cc/d': expected })
  })

  test('not from a damaged index', async () => {
    await commit({ a: '1' })
    await forge()
    const path = join(repo, '.git/index')
    const bytes = await readFile(path)
    for (const cut of [5, 40, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, cut))
      expect(await believed()).toEqual({ a: false })
    }
    bytes[30] = (bytes[30] ?? 0) ^ 1
    await writeFile(path, bytes)
    expect(await believed()).toEqual({ a: false })
  })

  test('of a sparse checkout, and of one with a sparse index', async () => {
    await commit({ a: '1', 'in/b': '2', 'out/c': '3' })
    await git('sparse-checkout', 'set', '--cone', '--sparse-index', 'in')
    await write({ 'out/c': 'written by hand' })
    await forge()
    expect(await believed()).toEqual({ a: true, 'in/b': true, 'out/c': false })
  })

  test('in SHA-256, which is then the format of what is read, too', async () => {
    await commit({ a: '1' }, ['--object-format=sha256'])
    await write({ b: '2' })
    await forge()
    const found = await entries()
    expect(found.get('a')?.content).toBe('ee'.repeat(32))
    expect(found.get('b')?.content).toBe((await git('hash-object', 'b')).trim())
  })

  test('of a linked worktree, of a subdirectory, of a parent directory and of a submodule by its own index', async () => {
    await commit({ a: '1', 'dir/b': '2', 'dir/.gitattributes': '*.x text\n', 'dir/c.x': '3' })
    const linked = join(temporary, 'linked')
    await git('worktree', 'add', '--quiet', linked)
    await forge(linked)
    expect(await believed(linked)).toEqual({ a: true, 'dir/.gitattributes': true, 'dir/b': true, 'dir/c.x': false })
    await forge()
    expect(await believed(join(repo, 'dir'))).toEqual({ '.gitattributes': true, b: true, 'c.x': false })
    expect(await believed(temporary, '**/.git\nhome\nlinked\n')).toEqual({
      'repo/a': true,
      'repo/dir/.gitattributes': true,
      'repo/dir/b': true,
      'repo/dir/c.x': false,
    })
    const outer = join(temporary, 'outer')
    await mkdir(outer)
    await gitIn(outer, 'init', '--quiet')
    await gitIn(outer, 'submodule', '--quiet', 'add', linked, 'sub')
    await write({ 'sub/new': '4' }, outer)
    await forge(join(outer, 'sub'))
    await forge(outer)
    expect(await believed(outer, '**/.git\nhome\n')).toMatchObject({
      '.gitmodules': true,
      'sub/a': true,
      'sub/dir/b': true,
      'sub/dir/c.x': false,
      'sub/new': false,
    })
  })

  test('not where core.worktree is elsewhere', async () => {
    await commit({ a: '1' })
    await git('config', 'core.worktree', temporary)
    await forge()
    expect(await believed()).toEqual({ a: false })
  })

  test('for names of every kind', async () => {
    const names = [
      'new\nline',
      'quo"te',
      "ap'o",
      'ünï',
      '日本',
      'sp ace',
      'tab\tbed',
      '-dash',
      'back\\slash',
      '\u{1f600}',
    ]
    await commit(Object.fromEntries(names.map((name) => [`d/${name}`, name])))
    await forge()
    expect(await believed()).toEqual(Object.fromEntries(names.map((name) => [`d/${name}`, true])))
  })

  test('of a repository that belongs to somebody else, whatever git is told by the environment', async () => {
    await commit({ a: '1' })
    await forge()
    await chown(repo, 12345, 12345)
    await chown(join(repo, '.git'), 12345, 12345)
    const elsewhere = { GIT_DIR: '/nowhere', GIT_WORK_TREE: '/nowhere', GIT_INDEX_FILE: '/nowhere', GIT_TRACE: '1' }
    expect(await believed(repo, '.git\n', { ...env, ...elsewhere })).toEqual({ a: true })
  })

  test('not without git, nor with a configuration that it cannot read', async () => {
    await commit({ a: '1' })
    await forge()
    expect(await believed(repo, '.git\n', { ...env, PATH: join(temporary, 'home') })).toEqual({ a: false })
    await write({ '.git/config': '[broken' })
    expect(await believed()).toEqual({ a: false })
  })
})

describe('files that git stores otherwise than they lie there are read', () => {
  test.each([
    ['*.bin filter=lfs diff=lfs merge=lfs -text', ['dir/y.bin', 'x.bin']],
    ['* text=auto', ['.gitattributes', 'a.md', 'dir/a.md', 'dir/y.bin', 'x.bin']],
    ['*.md eol=crlf', ['a.md', 'dir/a.md']],
    ['dir/* ident', ['dir/a.md', 'dir/y.bin']],
    ['/*.md working-tree-encoding=ISO-8859-1', ['a.md', 'dir/a.md']],
    ['dir/** crlf', ['dir/a.md', 'dir/y.bin']],
    ['**/a.md text', ['a.md', 'dir/a.md']],
    ['[x]*.bin text', ['.gitattributes', 'a.md', 'dir/a.md', 'dir/y.bin', 'x.bin']],
    ['"a.md" text', ['.gitattributes', 'a.md', 'dir/a.md', 'dir/y.bin', 'x.bin']],
    ['[attr]mine filter=x\n*.bin mine', ['.gitattributes', 'a.md', 'dir/a.md', 'dir/y.bin', 'x.bin']],
    ['# * text=auto\n*.md linguist-documentation -text export-ignore diff=markdown', []],
  ])('%s', async (attributes, read) => {
    await commit({ '.gitattributes': attributes, 'a.md': '1', 'dir/a.md': '2', 'dir/y.bin': '3', 'x.bin': '4' })
    await forge()
    const result = await believed()
    expect(Object.keys(result).filter((path) => result[path] === false)).toEqual(read)
  })

  test('by attributes of the repository, the user, and below a directory only', async () => {
    await commit({ 'a.md': '1', 'b.txt': '2', 'dir/a.md': '3', 'dir/.gitattributes': 'a.md ident\n' })
    await forge()
    expect(await believed()).toMatchObject({ 'a.md': true, 'b.txt': true, 'dir/a.md': false })
    await write({ '.git/info/attributes': '*.txt filter=x\n' })
    expect(await believed()).toMatchObject({ 'a.md': true, 'b.txt': false, 'dir/a.md': false })
    await write({ '.config/git/attributes': 'a.md filter=x\n', mine: '*.none text\n' }, join(temporary, 'home'))
    expect(await believed()).toMatchObject({ 'a.md': false, 'b.txt': false })
    await git('config', 'core.attributesFile', '~/mine')
    expect(await believed()).toMatchObject({ 'a.md': true, 'b.txt': false })
  })

  test('by attributes that were there at the checkout and are not any more', async () => {
    await commit({ '.gitattributes': '*.md text\n', 'a.md': '1', 'dir/.gitattributes': '*.x text\n', 'dir/b.x': '2' })
    await forge()
    await rm(join(repo, 'dir/.gitattributes'))
    expect(await believed()).toMatchObject({ 'a.md': false, 'dir/b.x': false })
    await write({ '.gitattributes': '' })
    expect(await believed()).toMatchObject({ 'a.md': false, 'dir/b.x': false })
  })

  test.each(['true', 'input'])('all of them with core.autocrlf=%s', async (value) => {
    await commit({ a: '1' })
    await forge()
    await git('config', 'core.autocrlf', 'false')
    expect(await believed()).toEqual({ a: true })
    const told = { ...env, GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'core.autocrlf', GIT_CONFIG_VALUE_0: value }
    expect(await believed(repo, '.git\n', told)).toEqual({ a: false })
    await write({ included: `[core]\n\tautocrlf = ${value}\n` }, join(temporary, 'home'))
    await git('config', '--unset', 'core.autocrlf')
    await git('config', 'include.path', join(temporary, 'home/included'))
    expect(await believed()).toEqual({ a: false })
  })

  test('and a checkout with other line ends than the repository’s has another id', async () => {
    await commit({ '.gitattributes': '*.md text eol=crlf\n', 'a.md': 'one\ntwo\n' })
    await rm(join(repo, 'a.md'))
    await git('checkout', '--', 'a.md')
    expect(await readFile(join(repo, 'a.md'), 'utf8')).toBe('one\r\ntwo\r\n')
    const id = (await entries()).get('a.md')?.content
    expect(id).toBe((await git('hash-object', '--no-filters', 'a.md')).trim())
    expect(id).not.toBe((await git('rev-parse', 'HEAD:a.md')).trim())
  })
})

test('no program that the repository names is started', async () => {
  const ran = join(temporary, 'ran')
  const script = join(temporary, 'script')
  await writeFile(script, `#!/bin/sh\ntouch '${ran}'\ncat\n`, { mode: 0o755 })
  await commit({ '.gitattributes': '*.md filter=mine\n', 'a.md': '1', b: '2' })
  for (const name of [
    'core.fsmonitor',
    'core.hooksPath',
    'core.pager',
    'core.editor',
    'core.sshCommand',
    'core.askPass',
  ]) {
    await git('config', name, script)
  }
  for (const name of ['clean', 'smudge', 'process']) await git('config', `filter.mine.${name}`, script)
  await write({ 'a.md': 'changed', b: 'changed' })
  await rm(ran, { force: true })
  expect(await believed()).toEqual({ '.gitattributes': false, 'a.md': false, b: false })
  await expect(lstat(ran)).rejects.toThrow('ENOENT')
  // The trap works.
  await git('status').catch(() => undefined)
  await lstat(ran)
})

test('the digest is the same whether git knows the files or not', async () => {
  const name = fc.constantFrom('a', 'b', 'c/d', 'c/e', 'c/f/g', 'h.md')
  const content = fc.oneof(
    fc.string(),
    fc.uint8Array({ maxLength: 70_000 }).map((bytes) => Buffer.from(bytes)),
  )
  let round = 0
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, content, { minKeys: 1 }), async (files) => {
      repo = join(temporary, `round-${round++}`)
      await mkdir(repo)
      await commit(files)
      await utimes(join(repo, '.git/index'), Date.now() / 1000 + 1, Date.now() / 1000 + 1)
      const digest = async (): Promise<string> => {
        const matcher = new IgnoreMatcher({ name: '', patterns: readIgnoreFile('.git\n') })
        const snapshot = await snapshotContext({ directory: repo, matcher, env })
        return (await snapshot.read({ via: 'copy', paths: ['/'], exclude: [], parents: false })).digest
      }
      const known = await digest()
      await rename(join(repo, '.git'), join(temporary, `git-${round}`))
      expect(await digest()).toBe(known)
    }),
    { numRuns: 15 },
  )
})
