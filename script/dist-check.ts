/**
 * Fails when `dist/` is not, byte for byte, what `src/` builds to, or when the build cannot be repeated: it builds
 * twice, from two working directories, and looks for paths of this machine in the result.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProcess } from '../src/process.ts'

const MEND = 'run npm run build and commit dist'

type Files = ReadonlyMap<string, Buffer>

async function readFiles(folder: string): Promise<Files> {
  const names = await readdir(folder).catch(() => [])
  const files = new Map<string, Buffer>()
  for (const name of names.sort()) files.set(name, await readFile(join(folder, name)))
  return files
}

/** How two sets of files differ, as sentences. */
export function compareFiles(expected: Files, actual: Files, where: string): string[] {
  const problems: string[] = []
  for (const [name, bytes] of expected) {
    const other = actual.get(name)
    if (other === undefined) problems.push(`${where}/${name} is missing`)
    else if (!other.equals(bytes))
      problems.push(`${where}/${name} differs from line ${firstDifferentLine(bytes, other)} on`)
  }
  for (const name of actual.keys()) if (!expected.has(name)) problems.push(`${where}/${name} does not belong there`)
  return problems
}

function firstDifferentLine(a: Buffer, b: Buffer): number {
  const [left, right] = [a.toString().split('\n'), b.toString().split('\n')]
  const index = left.findIndex((line, i) => line !== right[i])
  return (index < 0 ? left.length : index) + 1
}

/** Files that name a folder of this machine, as sentences. */
export function findLeaks(files: Files, folders: readonly string[]): string[] {
  return [...files].flatMap(([name, bytes]) =>
    folders
      .filter((folder) => bytes.includes(folder))
      .map((folder) => `the build writes the path ${folder} into ${name}`),
  )
}

async function build(root: string, cwd: string): Promise<Files> {
  const folder = await mkdtemp(join(tmpdir(), 'stage-build-dist-'))
  try {
    const cli = join(root, 'node_modules/rolldown/bin/cli.mjs')
    const config = join(root, 'rolldown.config.js')
    const result = await runProcess(process.execPath, [cli, '-c', config, '-d', folder], { cwd })
    if (result.code !== 0) throw new Error(`the build failed:\n${result.stdout}${result.stderr}`)
    return await readFiles(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function main(root: string): Promise<number> {
  const first = await build(root, root).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
  })
  if (first === undefined) return 1
  const second = await build(root, tmpdir())
  const home = homedir()
  const problems = [
    ...compareFiles(first, second, 'a second build').map((problem) => `the build cannot be repeated: ${problem}`),
    ...findLeaks(first, home.length > 1 ? [`${root}/`, `${home}/`] : [`${root}/`]),
  ]
  const stale = compareFiles(first, await readFiles(join(root, 'dist')), 'dist')
  for (const problem of [...problems, ...stale]) console.error(problem)
  if (stale.length > 0) console.error(MEND)
  return problems.length + stale.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(join(import.meta.dirname, '..'))
