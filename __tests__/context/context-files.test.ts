import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type ContextFile, listContext } from '../../src/context/context-files.ts'
import { ignoreFileFor, readIgnoreFile } from '../../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'
import { missingSources } from '../../src/context/missing-sources.ts'

let context: string

const FILES = [
  'Dockerfile',
  'README.md',
  'a b.txt',
  'a-b',
  'a/1',
  'docs/README.md',
  'docs/deep/er/x.md',
  'src/app.ts',
  'src/keep/in.ts',
  'node_modules/m/index.js',
]

beforeAll(async () => {
  context = await mkdtemp(join(tmpdir(), 'stage-build-context-'))
  for (const file of FILES) {
    await mkdir(dirname(join(context, file)), { recursive: true })
    await writeFile(join(context, file), file)
  }
  await mkdir(join(context, 'empty'))
  await chmod(join(context, 'src/app.ts'), 0o755)
  await symlink('src', join(context, 'link'))
  await symlink('/docs/deep', join(context, 'rooted'))
  await symlink('round', join(context, 'round'))
})

afterAll(async () => {
  await rm(context, { recursive: true, force: true })
})

function matcher(text: string): IgnoreMatcher {
  return new IgnoreMatcher({ name: '.dockerignore', patterns: readIgnoreFile(text) })
}

async function paths(text: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const file of listContext(context, matcher(text))) found.push(file.path)
  return found
}

describe('the files of a context', () => {
  test('come with type, mode and size, each directory before what it holds, links not followed', async () => {
    const files: ContextFile[] = []
    for await (const file of listContext(context, matcher('node_modules\ndocs\na\n'))) files.push(file)
    expect(files).toEqual([
      { path: 'Dockerfile', type: 'file', mode: 0o644, size: 10 },
      { path: 'README.md', type: 'file', mode: 0o644, size: 9 },
      { path: 'a b.txt', type: 'file', mode: 0o644, size: 7 },
      { path: 'a-b', type: 'file', mode: 0o644, size: 3 },
      { path: 'empty', type: 'directory', mode: 0o755, size: expect.any(Number) },
      { path: 'link', type: 'symlink', mode: 0o777, size: 3 },
      { path: 'rooted', type: 'symlink', mode: 0o777, size: 10 },
      { path: 'round', type: 'symlink', mode: 0o777, size: 5 },
      { path: 'src', type: 'directory', mode: 0o755, size: expect.any(Number) },
      { path: 'src/app.ts', type: 'file', mode: 0o755, size: 10 },
      { path: 'src/keep', type: 'directory', mode: 0o755, size: expect.any(Number) },
      { path: 'src/keep/in.ts', type: 'file', mode: 0o644, size: 14 },
    ])
  })

  test('an exception brings in the directories above it, and nothing else of them', async () => {
    expect(await paths('*\n!docs/deep/er/x.md\n!src/keep\n')).toEqual([
      'docs',
      'docs/deep',
      'docs/deep/er',
      'docs/deep/er/x.md',
      'src',
      'src/keep',
      'src/keep/in.ts',
    ])
  })

  test('everything excluded is an empty context', async () => {
    expect(await paths('**')).toEqual([])
  })

  test('a walk agrees with asking for each path alone', async () => {
    const all = await paths('')
    expect(all).toHaveLength(FILES.length + 12)
    for (const text of [
      '*.md\n!README.md',
      '**/*.md\n!docs/**',
      'src\n!src/keep',
      '*\n!a*',
      '*/?',
      '**/[a-m]*\n!**/keep',
    ]) {
      const alone = all.filter(
        (path) =>
          !matcher(text).excludes(
            path,
            all.some((other) => other.startsWith(`${path}/`)),
          ).excluded,
      )
      const walked = await paths(text)
      // The walk adds parents of what is included.
      expect(walked.filter((path) => alone.includes(path))).toEqual(alone)
      for (const extra of walked.filter((path) => !alone.includes(path))) {
        expect(walked.some((path) => path.startsWith(`${extra}/`))).toBe(true)
      }
    }
  })

  test('a context that is not there is an error, not an empty context', async () => {
    await expect(listContext(join(context, 'none'), matcher('')).next()).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a walk can be left early', async () => {
    for await (const file of listContext(context, matcher(''))) {
      expect(file.path).toBe('Dockerfile')
      break
    }
  })
})

describe('the ignore file of a build', () => {
  test('is the one beside the Dockerfile with its name, even an empty one, else that of the context', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stage-build-ignore-'))
    try {
      const dockerfile = join(directory, 'docker', 'Dockerfile')
      await mkdir(dirname(dockerfile))
      expect(ignoreFileFor(dockerfile, directory)).toEqual({
        name: join(directory, '.dockerignore'),
        patterns: [],
      })
      await writeFile(join(directory, '.dockerignore'), 'a\n')
      expect(ignoreFileFor(dockerfile, directory).patterns).toEqual([{ pattern: 'a', line: 1 }])
      await writeFile(join(directory, 'docker/.dockerignore'), 'never read\n')
      await writeFile(`${dockerfile}.dockerignore`, '')
      expect(ignoreFileFor(dockerfile, directory)).toEqual({ name: `${dockerfile}.dockerignore`, patterns: [] })
      await rm(`${dockerfile}.dockerignore`)
      await symlink('/etc/passwd', `${dockerfile}.dockerignore`)
      expect(ignoreFileFor(dockerfile, directory).name).toBe(join(directory, '.dockerignore'))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})

describe('a source that the build will not find', () => {
  test('is told with the line that excludes it', async () => {
    expect(await missingSources(context, matcher('# c\n\nsrc\n'), ['src/app.ts', '/src/', 'README.md'])).toEqual([
      {
        source: 'src/app.ts',
        kind: 'ignored',
        message: 'src/app.ts is not in the build context: .dockerignore line 3 ("src") excludes it.',
        mend: 'Add the line "!src/app.ts" at the end of .dockerignore, or remove that pattern.',
      },
      expect.objectContaining({ source: '/src/', kind: 'ignored' }),
    ])
  })

  test('is told with the name that was perhaps meant', async () => {
    expect(await missingSources(context, matcher(''), ['src/app.tx', 'nowhere/at/all'])).toEqual([
      {
        source: 'src/app.tx',
        kind: 'absent',
        message: 'src/app.tx is not in the build context: there is no such file.',
        mend: 'Did you mean src/app.ts?',
      },
      expect.objectContaining({ source: 'nowhere/at/all', kind: 'absent', mend: expect.stringContaining(context) }),
    ])
  })

  test('is found through links, which count from the root of the context', async () => {
    const found = await missingSources(context, matcher(''), [
      'link/app.ts',
      'rooted/er/x.md',
      'link',
      '.',
      '/',
      '../../src',
      'docs',
    ])
    expect(found).toEqual([])
    expect(await missingSources(context, matcher('src'), ['link/app.ts'])).toMatchObject([
      { kind: 'ignored', message: expect.stringContaining('It leads to src/app.ts.') },
    ])
    expect(await missingSources(context, matcher(''), ['round', 'Dockerfile/x'])).toMatchObject([
      { kind: 'absent' },
      { kind: 'absent' },
    ])
  })

  test('is not an excluded directory that holds something included', async () => {
    expect(await missingSources(context, matcher('src\n!src/keep'), ['src'])).toEqual([])
    expect(await missingSources(context, matcher('src\n!src/none'), ['src'])).toMatchObject([{ kind: 'ignored' }])
  })

  test('may be a wildcard that matches nothing, which is said but fails nothing', async () => {
    const sources = ['*.md', 'src/*.go', '**/x', 'do?s', 'link/*.ts', 'l*k/app.ts']
    expect(await missingSources(context, matcher(''), sources)).toMatchObject([
      { source: 'src/*.go', kind: 'no-match' },
      { source: 'l*k/app.ts', kind: 'no-match' },
    ])
  })
})
