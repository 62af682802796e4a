/** The helper's root: a folder with this machine's own `sh`, `tar` and `find` and the libraries that they need, where they look for them. */
import { constants } from 'node:fs'
import { copyFile, link, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findProgram, ProgramMissingError, runProcess } from '../process.ts'

/** Where each program lies in the helper, and what must be said of it by `--version`. */
const PROGRAMS = [
  { name: 'sh', is: undefined },
  { name: 'tar', is: /GNU tar/ },
  { name: 'find', is: /GNU findutils/ },
  { name: 'rm', is: undefined },
  { name: 'sleep', is: undefined },
] as const

/** For a line to this process (`archive-line.ts`); the helper works without it, too. */
const LINE_PROGRAM = 'bash'

/** A program that is not here, or not the one that is needed. */
export class ToolMissingError extends Error {
  readonly tool: string
  constructor(tool: string, options?: ErrorOptions) {
    super(`there is no ${tool} here`, options)
    this.name = 'ToolMissingError'
    this.tool = tool
  }
}

/** The files that a root needs: where they lie here → where in it. */
export type HelperFiles = ReadonlyMap<string, string>

/**
 * Looks for the programs and their libraries.
 * @throws ToolMissingError
 */
export async function findTools(env: NodeJS.ProcessEnv): Promise<HelperFiles> {
  const [found, bash] = await Promise.all([
    Promise.all(PROGRAMS.map(async (one) => await filesOf(one, env))),
    filesOf({ name: LINE_PROGRAM, is: undefined }, env).catch(() => []),
  ])
  return new Map([...found.flat(), ...bash])
}

/** Whether a root has what a line needs. */
export function canHaveLine(files: HelperFiles): boolean {
  return [...files.values()].includes(`/bin/${LINE_PROGRAM}`)
}

async function filesOf(
  { name, is }: { readonly name: string; readonly is: RegExp | undefined },
  env: NodeJS.ProcessEnv,
): Promise<readonly (readonly [string, string])[]> {
  const program = name === 'sh' ? '/bin/sh' : findProgram(name, env['PATH'] ?? '')
  if (program === undefined) throw new ToolMissingError(nameOf(name))
  const [version, libraries] = await Promise.all([
    is === undefined ? undefined : run(program, ['--version'], env),
    run('ldd', [program], env),
  ])
  if (is !== undefined && version !== undefined && !is.test(version)) throw new ToolMissingError(nameOf(name))
  return [[program, `/bin/${name}`] as const, ...librariesIn(libraries).map((path) => [path, path] as const)]
}

/** `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`; nothing of a static program. */
export function librariesIn(ldd: string): readonly string[] {
  return ldd.split('\n').flatMap((line) => /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line)?.[1] ?? [])
}

/** Lays the root out in a new folder, with a script in it and archives as `/in/NAME.tar`. */
export async function layOutRoot(
  folder: string,
  {
    files,
    scripts,
    archives,
  }: {
    readonly files: HelperFiles
    /** Name → text. */
    readonly scripts: ReadonlyMap<string, string>
    /** Name → where it lies. */
    readonly archives: ReadonlyMap<string, string>
  },
): Promise<void> {
  await Promise.all(['in', 'm', 'out'].map((name) => mkdir(join(folder, name), { recursive: true })))
  for (const [from, to] of files) {
    await mkdir(dirname(join(folder, to)), { recursive: true })
    await copyFile(from, join(folder, to))
  }
  for (const [name, text] of scripts) await writeFile(join(folder, name), text)
  for (const [name, from] of archives) {
    const to = join(folder, 'in', `${name}.tar`)
    await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_FICLONE))
  }
}

function nameOf(name: string): string {
  return name === 'tar' || name === 'find' ? `GNU ${name}` : name
}

async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  try {
    return (await runProcess(program, args, { env: { ...env, LC_ALL: 'C' } })).stdout
  } catch (error) {
    if (error instanceof ProgramMissingError) throw new ToolMissingError(program, { cause: error })
    throw error
  }
}
