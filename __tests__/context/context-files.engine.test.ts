import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { listContext } from '../../src/context/context-files.ts'
import { ignoreFileFor } from '../../src/context/ignore-file.ts'
import { IgnoreMatcher } from '../../src/context/ignore-matcher.ts'
import { runProcess } from '../../src/process.ts'

const FILES = [
  'a/1',
  'a/b/c',
  'b',
  'foob',
  'foo/x/bar',
  'foo/y',
  'node_modules/m',
  'x/node_modules/y',
  'x/a/b.md',
  'R.md',
  '.env',
  'a|b',
  'z{2}/q',
]
const CONTEXTS = 40

const piece = fc.constantFrom(
  'a',
  'b',
  'foo',
  'x',
  'node_modules',
  '*',
  '**',
  '?',
  '*.md',
  '[ab]',
  '[^a]',
  '**b',
  'R.md',
  '.*',
  'a|b',
  'z{2}',
  '\\w',
)
const pattern = fc
  .tuple(fc.constantFrom('', '', '!', '/', '!/'), fc.array(piece, { minLength: 1, maxLength: 3 }))
  .map(([start, pieces]) => start + pieces.join('/'))
const ignoreText = fc.array(pattern, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n'))

describe("BuildKit's own transfer of a context", () => {
  // A named local context is read with its own .dockerignore, so one build compares many.
  test(`takes the same files for ${CONTEXTS} random ignore files`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stage-build-transfer-'))
    try {
      const texts = fc.sample(ignoreText, CONTEXTS)
      for (const [index, text] of texts.entries()) {
        for (const file of FILES) {
          const path = join(directory, `c${index}`, file)
          await mkdir(dirname(path), { recursive: true })
          await writeFile(path, '')
        }
        await writeFile(join(directory, `c${index}`, '.dockerignore'), text)
      }
      const copies = texts.map((_, index) => `COPY --from=c${index} / /c${index}/\n`).join('')
      await writeFile(join(directory, 'Dockerfile'), `FROM scratch\n${copies}`)
      const named = texts.flatMap((_, index) => ['--build-context', `c${index}=${join(directory, `c${index}`)}`])
      const out = join(directory, 'out')
      const built = await runProcess('docker', [
        'buildx',
        'build',
        '--no-cache',
        ...named,
        '-o',
        `type=local,dest=${out}`,
        directory,
      ])
      expect(built).toMatchObject({ code: 0 })

      for (const [index, text] of texts.entries()) {
        const root = join(directory, `c${index}`)
        const matcher = new IgnoreMatcher(ignoreFileFor(join(root, 'Dockerfile'), root))
        const ours: string[] = []
        for await (const { path } of listContext(root, matcher)) ours.push(path)
        const listed = await readdir(join(out, `c${index}`), { recursive: true, withFileTypes: true })
        const theirs = listed.map((entry) => relative(join(out, `c${index}`), join(entry.parentPath, entry.name)))
        expect({ text, files: ours.sort() }).toEqual({ text, files: theirs.sort() })
      }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
