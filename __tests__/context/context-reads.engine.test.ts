import { describe, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { chmod, chown, link, mkdir, mkdtemp, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContextReadQuery } from '../../src/context/context-selection.ts'
import { ignoreFileFor } from '../../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'
import { snapshotContext } from '../../src/context/snapshot.ts'
import { runProcess } from '../../src/process.ts'

interface Form {
  readonly text: string
  readonly query: ContextReadQuery
}

function copy(flags: string, ...sources: readonly string[]): Form {
  const exclude = Array.from(flags.matchAll(/--exclude=(\S+)/g), ([, pattern]) => pattern ?? '')
  const paths = sources.map((source) => `/${source.replace(/^\.\/?/, '')}`)
  return {
    text: `COPY ${flags} ${sources.join(' ')} `,
    query: { via: 'copy', paths, exclude, parents: false },
  }
}

function add(source: string): Form {
  return { text: `ADD ${source} `, query: { via: 'add', paths: [`/${source}`], exclude: [], parents: false } }
}

function mount(source: string): Form {
  return {
    text: `RUN --mount=type=bind,target=/m,source=${source} true `,
    query: { via: 'mount', paths: [source], exclude: [], parents: false },
  }
}

const FORMS: readonly Form[] = [
  copy('', '.'),
  copy('', 'dir'),
  copy('', 'dir/sub/'),
  copy('', 'a.txt'),
  copy('', 'a.txt', 'dir/b.txt'),
  copy('', 'file-link'),
  copy('', 'dir-link'),
  copy('', 'dir-link/b.txt'),
  copy('', 'rooted-link'),
  copy('', '*.txt'),
  copy('', 'd*'),
  copy('', '*-link'),
  copy('', '*/*.txt'),
  copy('', 'dir-link/*.txt'),
  copy('', '[a-d]*'),
  copy('', 'dir/s?b'),
  copy('', 'nothing*'),
  copy('--exclude=*.md', 'dir'),
  copy('--exclude=**/*.md', '.'),
  copy('--exclude=sub --exclude=!sub/c.txt', 'dir'),
  copy('--exclude=sub', 'd*'),
  copy('--exclude=*.txt', 'dir-link'),
  add('a.txt'),
  add('dir'),
  add('local.tar'),
  mount('/'),
  mount('dir'),
  mount('dir-link'),
  mount('a.txt'),
]

interface Mutation {
  readonly what: string
  /** Where BuildKit's key differs less than the digest, and why. */
  readonly finer?: string
  readonly run: (root: string) => Promise<void>
}

function mutation(what: string, run: (at: (path: string) => string) => Promise<unknown>, finer?: string): Mutation {
  return {
    what,
    ...(finer === undefined ? {} : { finer }),
    run: async (root) => {
      await run((path) => join(root, path))
    },
  }
}

const NESTED_LINKS = 'BuildKit’s versions differ in whether they follow links in directories that a wildcard matches'

/** One after the other, each on what those before it left. */
const MUTATIONS: readonly Mutation[] = [
  mutation('nothing', async () => {}),
  mutation('mtime of a file', async (at) => {
    await utimes(at('a.txt'), 1, 1)
  }),
  mutation('mtime of a directory', async (at) => {
    await utimes(at('dir'), 1, 1)
  }),
  mutation('owner of a file', async (at) => {
    await chown(at('dir/b.txt'), 1234, 1234)
  }),
  mutation('mode of the root', async (at) => {
    await chmod(at('.'), 0o700)
  }),
  mutation('an ignored file', async (at) => {
    await writeFile(at('dir/x.log'), 'changed')
  }),
  mutation('a file in an ignored directory', async (at) => {
    await writeFile(at('ignored/new'), '')
  }),
  mutation('the ignore file', async (at) => {
    await writeFile(at('.dockerignore'), '# more\n*/*.log\nignored\n!ignored/kept\n')
  }),
  mutation('a hard link in place of a copy', async (at) => {
    await rm(at('dir/same.md'))
    await link(at('dir/b.md'), at('dir/same.md'))
  }),
  mutation('content, same size', async (at) => {
    await writeFile(at('a.txt'), 'A')
  }),
  mutation('content, back again', async (at) => {
    await writeFile(at('a.txt'), 'a')
  }),
  mutation('content, deep', async (at) => {
    await writeFile(at('dir/sub/c.txt'), 'changed')
  }),
  mutation('content, excluded by some', async (at) => {
    await writeFile(at('dir/c.md'), 'changed')
  }),
  mutation('mode of a file', async (at) => {
    await chmod(at('a.txt'), 0o664)
  }),
  mutation('executable', async (at) => {
    await chmod(at('dir/b.txt'), 0o755)
  }),
  mutation('setuid and sticky', async (at) => {
    await chmod(at('dir/b.txt'), 0o4755)
    await chmod(at('dir/sub'), 0o1755)
  }),
  mutation('mode of a directory', async (at) => {
    await chmod(at('dir'), 0o750)
  }),
  mutation('mode of a deep directory', async (at) => {
    await chmod(at('dir/sub'), 0o711)
  }),
  mutation('an added file', async (at) => {
    await writeFile(at('dir/d.txt'), 'new')
  }),
  mutation('an added file at the root', async (at) => {
    await writeFile(at('z.txt'), 'new')
  }),
  mutation('a file renamed', async (at) => {
    await rename(at('dir/d.txt'), at('dir/e.txt'))
  }),
  mutation('a file moved', async (at) => {
    await rename(at('dir/e.txt'), at('dir/sub/e.txt'))
  }),
  mutation('a directory renamed', async (at) => {
    await rename(at('dir/other'), at('dir/other2'))
  }),
  mutation('and back', async (at) => {
    await rename(at('dir/other2'), at('dir/other'))
  }),
  mutation('an empty directory', async (at) => {
    await mkdir(at('dir/empty'))
  }),
  mutation('an empty directory at the root', async (at) => {
    await mkdir(at('dempty'))
  }),
  mutation('an empty directory removed', async (at) => {
    await rm(at('dir/empty'), { recursive: true })
  }),
  mutation('a file removed', async (at) => {
    await rm(at('dir/sub/e.txt'))
  }),
  mutation('a link, to a file of the same content', async (at) => {
    await rm(at('file-link'))
    await symlink('copy-of-a', at('file-link'))
  }),
  mutation('a link, to another file', async (at) => {
    await rm(at('file-link'))
    await symlink('dir/b.txt', at('file-link'))
  }),
  mutation('a link, to another directory', async (at) => {
    await rm(at('dir-link'))
    await symlink('dir2', at('dir-link'))
  }),
  mutation('what a link leads to', async (at) => {
    await writeFile(at('dir2/b.txt'), 'changed')
  }),
  mutation('a link in a directory', async (at) => {
    await rm(at('dir/inner-link'))
    await symlink('../a.txt', at('dir/inner-link'))
  }),
  mutation(
    'what a link in a directory leads to',
    async (at) => {
      await writeFile(at('a.txt'), 'led to')
    },
    NESTED_LINKS,
  ),
  mutation('a link in place of a file', async (at) => {
    await rename(at('z.txt'), at('y'))
    await symlink('y', at('z.txt'))
  }),
  mutation('a file in place of a directory', async (at) => {
    await rm(at('dempty'), { recursive: true })
    await writeFile(at('dempty'), '')
  }),
  mutation('a pipe', async (at) => {
    await runProcess('mkfifo', ['-m', '644', at('dir/pipe')])
  }),
  mutation('a pipe removed', async (at) => {
    await rm(at('dir/pipe'))
  }),
  mutation('a socket', async (at) => {
    await socketAt(at('dir/socket'))
  }),
  mutation('mode of a socket', async (at) => {
    await chmod(at('dir/socket'), 0o700)
  }),
  mutation('a socket removed', async (at) => {
    await rm(at('dir/socket'))
  }),
  mutation('an archive', async (at) => {
    await writeFile(at('local.tar'), Buffer.alloc(2048))
  }),
  mutation('an ignored file that an exception brings back', async (at) => {
    await writeFile(at('ignored/kept'), 'changed')
  }),
  mutation('names that sort in another way by bytes', async (at) => {
    await writeFile(at('dir/\u{1f600}.txt'), '1')
    await writeFile(at('dir/\uffee.txt'), '2')
  }),
]

async function socketAt(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  // Closing removes it, unless it has another name by then.
  await rename(path, `${path}-`)
  await new Promise((resolve) => server.close(resolve))
  await rename(`${path}-`, path)
}

async function makeTree(root: string): Promise<void> {
  for (const directory of ['dir/sub', 'dir/other', 'dir2', 'ignored'])
    await mkdir(join(root, directory), { recursive: true })
  const files = {
    '.dockerignore': '*/*.log\nignored\n!ignored/kept\n',
    'a.txt': 'a',
    'copy-of-a': 'a',
    'dir/b.txt': 'b',
    'dir/b.md': 'md',
    'dir/c.md': 'c',
    'dir/same.md': 'md',
    'dir/x.log': 'log',
    'dir/sub/c.txt': 'c',
    'dir/sub/readme.md': 'deep',
    'dir/other/f.txt': 'f',
    'dir2/b.txt': 'second',
    'ignored/kept': 'kept',
    'local.tar': Buffer.alloc(1024),
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, name), content)
  await symlink('a.txt', join(root, 'file-link'))
  await symlink('dir', join(root, 'dir-link'))
  await symlink('/dir/sub', join(root, 'rooted-link'))
  await symlink('../copy-of-a', join(root, 'dir/inner-link'))
}

/** For each form whether its step was taken from BuildKit's cache. */
async function build(root: string, dockerfile: string): Promise<readonly boolean[]> {
  const args = ['buildx', 'build', '--progress=rawjson', '--output=type=cacheonly', '-f', dockerfile, root]
  const { code, stderr } = await runProcess('docker', args)
  if (code !== 0) throw new Error(stderr.slice(-3000))
  const cached = new Map<string, boolean>()
  for (const line of stderr.split('\n')) {
    if (!line.startsWith('{')) continue
    const { vertexes = [] } = JSON.parse(line) as {
      vertexes?: { name: string; cached?: boolean; completed?: string }[]
    }
    for (const { name, cached: hit = false, completed } of vertexes) {
      const stage = /^\[f(\d+) \d+\/\d+\] (?:COPY|ADD|RUN)/.exec(name)?.[1]
      if (stage !== undefined && (hit || completed !== undefined))
        cached.set(stage, (cached.get(stage) ?? false) || hit)
    }
  }
  return FORMS.map((form, index) => {
    const hit = cached.get(String(index))
    if (hit === undefined) throw new Error(`no step for ${form.text}`)
    return hit
  })
}

async function digests(root: string, dockerfile: string): Promise<readonly string[]> {
  const matcher = new IgnoreMatcher(ignoreFileFor(dockerfile, root))
  const snapshot = await snapshotContext({ directory: root, matcher, env: process.env })
  return await Promise.all(FORMS.map(async ({ query }) => (await snapshot.read(query)).digest))
}

describe('what BuildKit runs again and what the digest says', () => {
  test(`agree for ${FORMS.length} forms and ${MUTATIONS.length} mutations`, async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'stage-build-reads-'))
    try {
      const root = join(temporary, 'context')
      await mkdir(root)
      await makeTree(root)
      const image = (process.env['STAGE_BUILD_EXTERNAL_IMAGES'] ?? '')
        .split('\n')
        .find((line) => line.startsWith('alpine:3.22='))
      if (image === undefined) throw new Error('no stand-in for alpine')
      // Nobody else's cache may answer.
      const mark = randomUUID()
      const stages = FORMS.map(({ text }, index) => {
        const mounted = text.startsWith('RUN')
        const base = mounted ? image.slice(image.indexOf('=') + 1) : 'scratch'
        return `FROM ${base} AS f${index}\n${text}${mounted ? `${mark}${index}` : `/${mark}${index}/`}\n`
      })
      const last = FORMS.map((_, index) => `COPY --from=f${index} / /${index}\n`)
      const dockerfile = join(temporary, 'Dockerfile')
      await writeFile(dockerfile, `${stages.join('')}FROM scratch\n${last.join('')}`)

      const seen = FORMS.map(() => new Set<string>())
      const finer: string[] = []
      let equal = 0
      let copies = 0
      const compare = async (what: string, explained: string | undefined): Promise<void> => {
        // BuildKit compares a directory with what it knows of it, and does not see that only a directory's mode has
        // changed. It knows nothing of a fresh copy, as on a fresh runner.
        const copied = join(temporary, `context-${copies++}`)
        expect(await runProcess('cp', ['-a', root, copied])).toMatchObject({ code: 0 })
        const ours = await digests(copied, dockerfile)
        const theirs = await build(copied, dockerfile)
        for (const [index, { text }] of FORMS.entries()) {
          const digest = ours[index] ?? ''
          const known = seen[index]?.has(digest) ?? false
          const cached = theirs[index] ?? false
          // The one thing that must never be.
          expect({ what, text, skipped: known && !cached }).toEqual({ what, text, skipped: false })
          if (known === cached) equal++
          else finer.push(`${what}: ${text}${explained === undefined ? '(unexplained)' : ''}`)
          seen[index]?.add(digest)
        }
      }
      await compare('the first build', undefined)
      for (const { what, finer: explained, run } of MUTATIONS) {
        await run(root)
        await compare(what, explained)
      }
      expect(await readdir(root)).toContain('z.txt')
      expect(finer.filter((line) => line.endsWith('(unexplained)'))).toEqual([])
      expect(finer.length / (finer.length + equal)).toBeLessThan(0.02)
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  }, 300_000)
})
