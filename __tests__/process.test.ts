import { expect, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProgramMissingError, runProcess, startChild } from '../src/process.ts'

const node = (code: string): readonly [string, readonly string[]] => [process.execPath, ['-e', code]]

test('a program’s output and exit code are returned, whatever the code', async () => {
  const result = await runProcess(...node('console.log("out"); console.error("err"); process.exit(3)'))
  expect(result).toEqual({ code: 3, signal: null, stdout: 'out\n', stderr: 'err\n' })
})

test('arguments are not read by a shell', async () => {
  const { stdout } = await runProcess(process.execPath, ['-p', 'process.argv[1]', '$(id); `id` "x"'])
  expect(stdout).toBe('$(id); `id` "x"\n')
})

test('a program that is not there is told from one that fails', async () => {
  await expect(runProcess('no-such-program', [])).rejects.toThrow(ProgramMissingError)
  await expect(runProcess('docker', [], { env: { PATH: '/nonexistent' } })).rejects.toThrow(
    'docker could not be started',
  )
})

test('of much output the last MiB is kept; a listener gets all of it, characters whole', async () => {
  const write = 'process.stdout.write("é".repeat(3 << 20) + "end")'
  const { stdout } = await runProcess(...node(write))
  expect(stdout.length).toBe(1 << 20)
  expect(stdout.endsWith('éend')).toBe(true)
  let length = 0
  let broken = false
  const heard = await runProcess(process.execPath, ['-e', write], {
    onStdout: (text) => {
      length += text.length
      broken ||= text.includes('\ufffd')
    },
  })
  expect({ length, broken, stdout: heard.stdout }).toEqual({ length: (3 << 20) + 3, broken: false, stdout: '' })
})

test('input is written, and a program that does not read it is no error', async () => {
  const [program, args] = node('process.stdin.pipe(process.stdout)')
  expect((await runProcess(program, args, { input: 'hello' })).stdout).toBe('hello')
  expect((await runProcess(process.execPath, ['-e', ''], { input: 'x'.repeat(1 << 20) })).code).toBe(0)
})

test('an abort is an interrupt that the program may answer', async () => {
  const cancel = new AbortController()
  const [program, args] = node(
    'process.on("SIGINT", () => process.exit(7)); console.log("up"); setInterval(() => 0, 1000)',
  )
  const result = await runProcess(program, args, {
    signal: cancel.signal,
    onStdout: () => {
      cancel.abort()
    },
  })
  expect(result.code).toBe(7)
})

test('an abort before the start ends the program as well', async () => {
  const [program, args] = node('setInterval(() => 0, 1000)')
  expect(await runProcess(program, args, { signal: AbortSignal.abort() })).toMatchObject({
    code: null,
    signal: 'SIGINT',
  })
})

test('a child answers, prints, and is ended together with what it started', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stage-build-child-'))
  const script = join(folder, 'child.cjs')
  const sleeper = 'console.log("sleeping as", process.pid); setInterval(() => 0, 1000)'
  await writeFile(
    script,
    `process.on('message', (message) => process.send({ answer: message, cwd: process.cwd() }))
     console.error('hello')
     require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(sleeper)}], { stdio: 'inherit' })`,
  )
  const lines: string[] = []
  const messages: unknown[] = []
  const ends: string[] = []
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const child = startChild(script, [], {
    env: {},
    cwd: folder,
    onMessage: (message) => messages.push(message),
    onLine: (line) => lines.push(line),
    onEnd: (how) => {
      ends.push(how)
      resolve(undefined)
    },
  })
  const sleeping = (): string | undefined => /sleeping as (\d+)/.exec(lines.join('\n'))?.[1]
  child.send({ question: 1 })
  for (let i = 0; i < 500 && (sleeping() === undefined || messages.length === 0); i++) await pause(10)
  expect(messages).toEqual([{ answer: { question: 1 }, cwd: folder }])
  expect(lines).toContain('hello')
  child.kill()
  await promise
  child.kill()
  child.send({ question: 2 })
  expect(ends).toEqual(['was ended by SIGKILL'])
  const isAsleep = async (): Promise<boolean> =>
    (await runProcess('ps', ['-o', 'stat=', '-p', sleeping() ?? ''])).stdout.trim().match(/^[^Z]/) !== null
  for (let i = 0; i < 100 && (await isAsleep()); i++) await pause(10)
  expect(await isAsleep()).toBe(false)
  await rm(folder, { recursive: true })
})

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
