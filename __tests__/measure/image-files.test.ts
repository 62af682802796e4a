import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { imageFiles } from '../../src/measure/image-files.ts'
import { file, filesOf, folder, hardLink, indexOf, symlink } from '../support/layers.ts'
import { Random } from '../support/random.ts'
import { rawTar, type RawEntry } from '../support/raw-tar.ts'

const OPAQUE = '.wh..wh..opq'

async function merged(...layers: readonly (readonly RawEntry[])[]): Promise<number | undefined> {
  return (await filesOf(layers)).merged
}

describe('what a later layer does to an earlier one', () => {
  const lower = [folder('a'), folder('a/b'), file('a/b/x', 100), file('a/y', 10), file('z', 1)]

  test.each<[string, readonly RawEntry[], number]>([
    ['nothing', [folder('n')], 111],
    ['another file', [file('a/b/n', 1_000)], 1_111],
    ['a file anew, with other spellings of its path', [file('./a//b/./x', 5)], 16],
    ['a file anew, with an absolute path', [file('/a/b/x', 5)], 16],
    ['a whiteout of a file', [folder('a'), file('a/.wh.y', 0)], 101],
    ['a whiteout of a directory', [file('a/.wh.b', 0)], 11],
    ['a whiteout of nothing', [file('a/.wh.n', 0), file('n/.wh.n', 0)], 111],
    ['a whiteout, and the same directory new', [file('a/.wh.b', 0), folder('a/b'), file('a/b/n', 7)], 18],
    ['the same directory new, and a whiteout', [folder('a/b'), file('a/b/n', 7), file('a/.wh.b', 0)], 18],
    ['a whiteout, and a file of that name', [file('a/y', 3), file('a/.wh.y', 0)], 104],
    ['an opaque directory, told first', [folder('a'), file(`a/${OPAQUE}`, 0), file('a/n', 7)], 8],
    ['an opaque directory, told last', [folder('a'), file('a/n', 7), file(`a/${OPAQUE}`, 0)], 8],
    ['an opaque directory, told after one beneath', [folder('a/b'), file('a/b/n', 7), file(`a/${OPAQUE}`, 0)], 8],
    ['an opaque root', [file(OPAQUE, 0), file('n', 7)], 7],
    ['a file over a directory', [file('a', 7)], 8],
    ['a symbolic link over a directory', [symlink('a', 'b')], 1],
    ['a device over a directory', [{ path: 'a', type: '3' }], 1],
    ['a directory over a file', [folder('z'), file('z/n', 7)], 117],
    ['a directory over a directory', [folder('a')], 111],
    ['what AUFS keeps', [file('.wh..wh.plnk/1.2', 7), file('.wh..wh.aufs', 3)], 111],
  ])('%s', async (_name, upper, bytes) => {
    expect(await merged(lower, upper)).toBe(bytes)
    // A layer between that changes nothing, changes nothing.
    expect(await merged(lower, [folder('a')], upper)).toBe(bytes)
  })

  test('whiteouts hide what lies two layers beneath, and not what comes after them', async () => {
    expect(await merged(lower, [folder('other')], [file('a/.wh.b', 0)])).toBe(11)
    expect(await merged(lower, [file('a/.wh.b', 0)], lower)).toBe(111)
  })

  test('a directory replaced by a link, and that by a directory, keeps nothing', async () => {
    expect(await merged(lower, [symlink('a', 'b')], [folder('a'), file('a/n', 7)])).toBe(8)
  })

  test('a path through a link of a lower layer leaves the total unknown', async () => {
    const links = [folder('usr'), folder('usr/lib'), file('usr/lib/x', 5), symlink('lib', 'usr/lib')]
    const { merged: bytes, tree } = await filesOf([links, [file('lib/x', 7)]])
    expect([bytes, tree?.bytes]).toEqual([undefined, 12])
    expect(await merged(links, [folder('lib'), file('lib/x', 7)])).toBe(12)
  })
})

describe('hard links', () => {
  test('a file with several names counts once, by whichever name it is still there', async () => {
    const lower = [file('a', 100), hardLink('b', 'a'), hardLink('c', './b')]
    expect(await merged(lower)).toBe(100)
    expect(await merged(lower, [file('.wh.a', 0)])).toBe(100)
    expect(await merged(lower, [file('a', 7)])).toBe(107)
    expect(await merged(lower, [file('.wh.a', 0), file('.wh.b', 0), file('.wh.c', 0)])).toBe(0)
  })

  test('one to nothing counts nothing', async () => {
    expect(await merged([hardLink('b', 'a')])).toBe(0)
  })

  test('one to a file that the same archive replaced keeps its bytes', async () => {
    const { merged: bytes, tree } = await filesOf([[file('a', 5), hardLink('b', 'a'), file('a', 7)]])
    expect([bytes, tree?.bytes]).toEqual([12, 12])
  })
})

describe('entries that stand twice in one archive', () => {
  test.each<[string, readonly RawEntry[], number, number]>([
    ['a file', [file('a', 5), file('a', 7)], 7, 12],
    ['a file that becomes a directory', [file('a', 5), folder('a'), file('a/n', 1)], 1, 6],
    ['a directory that becomes a file', [folder('a'), file('a/n', 5), file('a', 7)], 7, 12],
    ['a directory', [folder('a'), file('a/n', 5), folder('a')], 5, 5],
  ])('%s', async (_name, entries, visible, content) => {
    const { merged: bytes, tree } = await filesOf([entries])
    expect([bytes, tree?.bytes]).toEqual([visible, content])
  })
})

describe('what is not known', () => {
  const index = async (...entries: readonly RawEntry[]) => (await indexOf(rawTar(entries))).index

  test('layers of the base: the own ones still have files and packages', async () => {
    const own = { own: true, index: await index(file('a', 5)) }
    expect(imageFiles([{ own: false, index: undefined }, own])).toMatchObject({
      ...{ tree: { bytes: 5, files: 1 }, merged: undefined, packages: [], reason: undefined },
    })
  })

  test('an own layer: neither', async () => {
    const base = { own: false, index: await index(file('a', 5)) }
    expect(imageFiles([base, { own: true, index: undefined }])).toEqual({
      ...{ tree: undefined, merged: undefined, packages: undefined, reason: undefined },
    })
  })

  test('no own layer is no file', async () => {
    expect(imageFiles([{ own: false, index: await index(file('a', 5)) }])).toMatchObject({
      ...{ tree: { bytes: 0, files: 0 }, merged: 5, packages: [] },
    })
  })
})

describe('random stacks of layers agree with files on a disk', () => {
  let directory = ''

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stage-build-stack-'))
  })

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  test.each(Array.from({ length: 30 }, (_, seed) => [seed]))('seed %i', async (seed) => {
    const random = new Random(seed)
    const root = join(directory, String(seed))
    await mkdir(root)
    const layers = Array.from({ length: 2 + random.below(4) }, () => randomLayer(random))
    const indexes = []
    let content = 0
    for (const entries of layers) {
      await apply(entries, root)
      const { index, unpacked } = await indexOf(rawTar(entries))
      indexes.push({ own: indexes.length > 0, index })
      if (indexes.length > 1) content += unpacked
    }
    const { merged: bytes, tree } = imageFiles(indexes)
    const onDisk = execFileSync('find', [root, '-type', 'f', '-printf', '%i %s\n'], { encoding: 'utf8' })
    const inodes = new Map(onDisk.split('\n').map((line) => line.split(' ') as [string, string | undefined]))
    expect(bytes).toBe([...inodes.values()].reduce((sum, size) => sum + Number(size ?? 0), 0))
    expect(tree?.bytes).toBe(content)
  })

  /** A layer as engines write them: each directory before what is in it. */
  function randomLayer(random: Random): readonly RawEntry[] {
    const files: string[] = []
    const fill = (path: string, depth: number): RawEntry[] => {
      const entries = ['a', 'b', 'c', 'd'].flatMap((name): RawEntry[] => {
        const at = `${path}${name}`
        const size = random.below(3_000)
        switch (random.below(depth < 3 ? 9 : 6)) {
          case 0:
            return [file(`${path}.wh.${name}`, 0)]
          case 1: {
            const target = random.pick(files)
            return target === undefined ? [] : [hardLink(at, target)]
          }
          case 2:
            return [symlink(at, 'a')]
          case 3:
            files.push(at)
            return random.below(4) === 0 ? [file(at, random.below(500)), file(at, size)] : [file(at, size)]
          case 4:
          case 5:
            return []
          default:
            return [
              ...(random.below(6) === 0 ? [file(`${path}.wh.${name}`, 0)] : []),
              folder(at),
              ...fill(`${at}/`, depth + 1),
            ]
        }
      })
      const opaque = random.below(8) === 0 ? [file(`${path}${OPAQUE}`, 0)] : []
      return random.below(2) === 0 ? [...opaque, ...entries] : [...entries, ...opaque]
    }
    return fill('', 0)
  }

  /** By hand: first all that the layer hides is removed, then the machine's tar unpacks the rest. */
  async function apply(entries: readonly RawEntry[], root: string): Promise<void> {
    const isDirectory = async (path: string): Promise<boolean> =>
      await lstat(path).then(
        (found) => found.isDirectory(),
        () => false,
      )
    /** Whether what leads there is there, and no link. */
    const isReal = async (path: string): Promise<boolean> => (await realpath(path).catch(() => '')) === path
    const visible = entries.filter(({ path }) => !path.includes('.wh.'))
    for (const { path } of entries.filter((entry) => entry.path.includes('.wh.'))) {
      const parent = join(root, dirname(path))
      // Only what is really beneath: not through a link.
      if (!(await isReal(parent)) || !(await isDirectory(parent))) continue
      const gone = path.endsWith(OPAQUE) ? await readdir(parent) : [path.slice(path.lastIndexOf('.wh.') + 4)]
      for (const name of gone) await rm(join(parent, name), { recursive: true, force: true })
    }
    for (const { path, type } of visible) {
      const at = join(root, path.replace(/\/$/, ''))
      if (!(await isReal(dirname(at)))) continue
      if (type !== '5' || !(await isDirectory(at))) await rm(at, { recursive: true, force: true })
    }
    execFileSync('tar', ['-x', '-C', root], { input: rawTar(visible) })
  }
})
