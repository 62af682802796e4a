/** Random changes of files, ignore files and inputs. What a change means for the image is for the engine to say. */
import { chmod, link, lstat, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from './random.ts'
import { BASES, type SoundLab } from './sound-lab.ts'
import { file, type Entry, type Variant } from './sound-project.ts'

export interface Mutation {
  readonly kind: string
  /** Changes the draft; false where there is nothing to change. What it returns is done to the directory afterwards. */
  readonly change: (draft: Variant, random: Random) => boolean | ((lab: SoundLab) => Promise<void>)
}

function mutation(kind: string, change: Mutation['change']): Mutation {
  return { kind, change }
}

type FileEntry = Extract<Entry, { type: 'file' }>

function filesOf(draft: Variant): readonly string[] {
  return Object.keys(draft.files).filter((path) => isFile(draft.files[path]) && !path.endsWith('.dockerignore'))
}

function isFile(entry: Entry | undefined): entry is FileEntry {
  return entry?.type === 'file'
}

/** Changes one file's entry. */
function onFile(
  draft: Variant,
  random: Random,
  change: (entry: FileEntry, path: string) => Entry | undefined,
): boolean {
  const path = random.pick(filesOf(draft))
  const entry = path === undefined ? undefined : draft.files[path]
  if (path === undefined || !isFile(entry)) return false
  const changed = change(entry, path)
  if (changed !== undefined) draft.files[path] = changed
  return true
}

const DIRECTORIES = ['src', 'src/deep', 'conf', 'docs', 'tmp', 'new', '.']

function pathIn(random: Random, name: string): string {
  return join(random.pick(DIRECTORIES) ?? '.', name)
}

/** Content of the same length. */
function turned(content: string): string {
  return content.replace(/[a-z]/, (letter) => (letter === 'z' ? 'a' : String.fromCharCode(letter.charCodeAt(0) + 1)))
}

export const FILE_MUTATIONS: readonly Mutation[] = [
  mutation('file: content', (draft, random) =>
    onFile(draft, random, (entry) => ({ ...entry, content: `${entry.content}${random.word()}\n` })),
  ),
  mutation('file: content of the same size, times put back', (draft, random) => {
    let changed: readonly [path: string, content: string] | undefined
    onFile(draft, random, (entry, path) => {
      changed = [path, turned(entry.content)]
      return undefined
    })
    if (changed === undefined) return false
    const [path, content] = changed
    return async ({ root }) => {
      const at = join(root, path)
      const { atime, mtime } = await lstat(at)
      await writeFile(at, content)
      await utimes(at, atime, mtime)
      draft.files[path] = { ...(draft.files[path] as FileEntry), content }
    }
  }),
  mutation('file: mode', (draft, random) =>
    onFile(draft, random, (entry) => ({ ...entry, mode: random.pick([0o600, 0o644, 0o664, 0o755, 0o4755]) ?? 0o644 })),
  ),
  mutation('file: added', (draft, random) => {
    const path = pathIn(random, `${random.word()}.${random.pick(['c', 'md', 'conf', 'log', 'txt']) ?? 'c'}`)
    draft.files[path] = file(`${random.word()}\n`)
    return true
  }),
  mutation('file: removed', (draft, random) =>
    onFile(draft, random, (_entry, path) => {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a file that is gone
      delete draft.files[path]
      return undefined
    }),
  ),
  mutation('file: renamed', (draft, random) =>
    onFile(draft, random, (entry, path) => {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a file that is gone
      delete draft.files[path]
      draft.files[path.replace(/([^/]*)$/, `${random.word()}-$1`)] = entry
      return undefined
    }),
  ),
  mutation('file: a link in its place', (draft, random) =>
    onFile(draft, random, (_entry, path) => ({ type: 'link', target: path.replace(/^.*\//, 'other-') })),
  ),
  mutation('link: target', (draft, random) => {
    const links = Object.keys(draft.files).filter((path) => draft.files[path]?.type === 'link')
    const path = random.pick(links)
    if (path === undefined) return false
    const targets = ['util.c', './util.c', 'main.c', 'deep', 'conf/app.conf', 'conf/extra.conf', 'nowhere']
    draft.files[path] = { type: 'link', target: random.pick(targets) ?? '' }
    return true
  }),
  mutation('link: added', (draft, random) => {
    draft.files[pathIn(random, `${random.word()}.c`)] = {
      type: 'link',
      target: random.pick(['main.c', '/etc/x']) ?? '',
    }
    return true
  }),
  mutation('directory: an empty one added', (draft, random) => {
    draft.files[pathIn(random, random.word())] = { type: 'directory', mode: 0o755 }
    return true
  }),
  mutation('directory: mode', (draft, random) => {
    const path = random.pick(['src', 'src/deep', 'src/empty', 'conf', 'docs', 'tmp'])
    if (path === undefined) return false
    draft.files[path] = { type: 'directory', mode: random.pick([0o700, 0o755, 0o775]) ?? 0o755 }
    return true
  }),
]

/** Mostly without consequence. */
export const DISK_MUTATIONS: readonly Mutation[] = [
  mutation('disk: times of every file', () => async ({ root }) => {
    for (const name of await readdir(root, { recursive: true })) {
      if (name.startsWith('.git/') || (await lstat(join(root, name))).isSymbolicLink()) continue
      await utimes(join(root, name), 1_000_000, 1_000_000 + name.length)
    }
  }),
  mutation('disk: written again', (draft, random) => async ({ root }) => {
    const path = random.pick(filesOf(draft)) ?? 'Dockerfile'
    const entry = draft.files[path]
    if (!isFile(entry)) return
    await writeFile(`${join(root, path)}~`, entry.content, { mode: entry.mode })
    await rename(`${join(root, path)}~`, join(root, path))
    await chmod(join(root, path), entry.mode)
  }),
  mutation('disk: a hard link in place of a copy', (draft, random) => {
    const path = `src/${random.word()}.log`
    const original = 'docs/read.md'
    const entry = draft.files[original]
    if (!isFile(entry)) return false
    draft.files[path] = entry
    return async ({ root }) => {
      await rm(join(root, path))
      await link(join(root, original), join(root, path))
    }
  }),
  mutation('disk: mode of the root', (_draft, random) => async ({ root }) => {
    await chmod(root, random.pick([0o700, 0o755, 0o777]) ?? 0o755)
  }),
  mutation('git: everything committed', () => async (lab) => {
    await lab.git('add', '-A')
    await lab.git('commit', '-q', '--allow-empty', '-m', 'more')
  }),
  mutation('git: everything forgotten', () => async (lab) => {
    await lab.git('rm', '-r', '-q', '-f', '--cached', '--ignore-unmatch', '.')
  }),
  mutation('git: a file assumed unchanged', (draft, random) => async (lab) => {
    await lab.git('add', '-A')
    await lab.git('update-index', '--assume-unchanged', random.pick(filesOf(draft)) ?? 'Dockerfile')
  }),
]

/** Files that nothing reads, but for a few. */
export const UNREAD_MUTATIONS: readonly Mutation[] = [
  mutation('unread: a file nobody copies', (draft, random) => {
    draft.files['notes.txt'] = file(`${random.word()}\n`)
    return true
  }),
  mutation('unread: an ignored file', (draft, random) => {
    const path = random.pick(['tmp/scratch.log', 'tmp/new', 'src/x.log', 'docs/y.log', 'other/skip.log']) ?? ''
    if (path.startsWith('other/') && draft.files[path] === undefined) return false
    draft.files[path] = file(`${random.word()}\n`)
    return true
  }),
  mutation('unread: a new folder nobody copies', (draft, random) => {
    draft.files[`unread-${random.word()}/a`] = file('a')
    return true
  }),
  mutation('file: of a named context', (draft, random) => {
    if (draft.files['other/data/a.txt'] === undefined) return false
    draft.files['other/data/a.txt'] = file(`${random.word()}\n`)
    return true
  }),
  mutation('unread: outside what is read of a named context', (draft, random) => {
    if (draft.files['other/unread.txt'] === undefined) return false
    draft.files['other/unread.txt'] = file(random.word())
    return true
  }),
]

function ignoreLine(draft: Variant, path: string, change: (lines: string[]) => void): boolean {
  const entry = draft.files[path]
  if (!isFile(entry)) return false
  const lines = entry.content.trimEnd().split('\n')
  change(lines)
  draft.files[path] = { ...entry, content: `${lines.join('\n')}\n` }
  return true
}

export const IGNORE_MUTATIONS: readonly Mutation[] = [
  mutation('ignore: a comment', (draft, random) =>
    ignoreLine(draft, '.dockerignore', (lines) => lines.unshift(`# ${random.word()}`)),
  ),
  mutation('ignore: a pattern that matches nothing', (draft, random) =>
    ignoreLine(draft, '.dockerignore', (lines) => lines.push(`nothing-${random.word()}`)),
  ),
  mutation('ignore: a pattern', (draft, random) =>
    ignoreLine(draft, '.dockerignore', (lines) =>
      lines.push(
        random.pick(['docs', '*.txt', 'src/deep', '**/*.md', 'conf/e*', '!tmp/scratch.log', '!**/*.log']) ?? '',
      ),
    ),
  ),
  mutation('ignore: a pattern less', (draft, random) =>
    ignoreLine(draft, '.dockerignore', (lines) => lines.splice(random.below(lines.length), 1)),
  ),
  mutation('ignore: of a named context', (draft, random) =>
    ignoreLine(draft, 'other/.dockerignore', (lines) =>
      lines.push(random.pick(['data/b.txt', 'unread.txt', 'nothing', 'data']) ?? ''),
    ),
  ),
  mutation('ignore: a file of the Dockerfile’s own, the same', (draft) => {
    const entry = draft.files['.dockerignore']
    if (!isFile(entry)) return false
    draft.files['Dockerfile.dockerignore'] = entry
    return true
  }),
]

/** One line of an input is changed, added, or moved. */
function onLines(draft: Variant, name: string, change: (lines: string[]) => void): true {
  const lines = [...(draft.inputs[name] ?? [])]
  change(lines)
  draft.inputs[name] = lines
  return true
}

function setLine(draft: Variant, name: string, key: string, value: string): true {
  return onLines(draft, name, (lines) => {
    const at = lines.findIndex((line) => line.startsWith(`${key}=`))
    lines.splice(at === -1 ? lines.length : at, at === -1 ? 0 : 1, `${key}=${value}`)
  })
}

function choose(kind: string, name: string, values: readonly string[]): Mutation {
  return mutation(kind, (draft, random) => {
    const others = values.filter((value) => value !== (draft.inputs[name]?.[0] ?? ''))
    const value = random.pick(others) ?? ''
    draft.inputs[name] = value === '' ? [] : [value]
    return true
  })
}

export const INPUT_MUTATIONS: readonly Mutation[] = [
  mutation('argument: undeclared', (draft, random) => setLine(draft, 'build-args', `UNKNOWN_${random.below(3)}`, random.word())),
  mutation('argument: declared', (draft, random) =>
    setLine(draft, 'build-args', random.pick(['VERSION', 'OTHER', 'ADDED']) ?? '', random.word()),
  ),
  mutation('argument: of a proxy', (draft, random) => setLine(draft, 'build-args', 'HTTP_PROXY', `http://${random.word()}.invalid`)),
  mutation('argument: order', (draft) => onLines(draft, 'build-args', (lines) => lines.reverse())),
  mutation('argument: the base image', (draft, random) =>
    setLine(draft, 'build-args', 'BASE', random.pick(['base:1', 'base:2', 'scratch']) ?? ''),
  ),
  mutation('label: value', (draft, random) => setLine(draft, 'labels', 'org.example.a', random.word())),
  mutation('label: added', (draft, random) => setLine(draft, 'labels', `org.example.${random.word()}`, '1')),
  mutation('label: order', (draft) => onLines(draft, 'labels', (lines) => lines.reverse())),
  mutation('label: volatile', (draft, random) => setLine(draft, 'labels', 'org.opencontainers.image.revision', random.word())),
  mutation('annotation', (draft, random) =>
    setLine(draft, 'annotations', random.pick(['index:org.example.note', 'manifest:org.example.kind', 'org.example.x']) ?? '', random.word()),
  ),
  mutation('annotation: order', (draft) => onLines(draft, 'annotations', (lines) => lines.reverse())),
  choose('provenance', 'provenance', ['mode=min', 'mode=max', 'false']),
  choose('compression', 'compression', ['gzip', 'zstd', 'uncompressed']),
  choose('network', 'network', ['', 'none']),
  choose('names of hosts', 'add-hosts', ['', 'a.invalid:127.0.0.1', 'a.invalid:127.0.0.2', 'b.invalid:127.0.0.1']),
  choose('size of /dev/shm', 'shm-size', ['', '32m', '64m']),
  choose('limits', 'ulimit', ['', 'nofile=1024:1024', 'nofile=2048:2048']),
  choose('pull', 'pull', ['', 'true']),
  choose('time of the image', 'build-args', ['SOURCE_DATE_EPOCH=1', 'SOURCE_DATE_EPOCH=2', 'VERSION=1']),
  choose('platform by name', 'platforms', ['', 'linux/amd64']),
  mutation('secret: value', (draft, random) =>
    draft.inputs['secrets'] === undefined ? false : setLine(draft, 'secrets', 'token', random.word()),
  ),
  mutation('named context: another folder', (draft, random) =>
    draft.inputs['build-contexts'] === undefined
      ? false
      : setLine(draft, 'build-contexts', random.pick(['data', 'library']) ?? '', random.pick(['other', 'library', 'docs']) ?? ''),
  ),
  mutation('base image: moved', (draft) => {
    draft.base = (draft.base + 1) % BASES
    return true
  }),
] // prettier-ignore
