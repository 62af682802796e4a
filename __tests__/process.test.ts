import { expect, test } from '@jest/globals'
import { ProgramMissingError, runProcess } from '../src/process.ts'

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
