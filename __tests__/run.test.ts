import { expect, test } from '@jest/globals'
import { UserError } from '../src/errors.ts'
import { run } from '../src/run.ts'
import { githubRunner, harmless } from '../src/runner.ts'

test.each([
  ['darwin', 'macOS'],
  ['win32', 'Windows'],
] as const)('a build on %s is refused with the runner to use, before anything else', async (platform, name) => {
  const refused: unknown = await run({
    runner: { ...githubRunner({}), input: () => '' },
    env: {},
    platform,
    arch: 'x64',
    now: () => 0,
    signal: new AbortController().signal,
  }).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(UserError)
  expect((refused as UserError).message).toBe(
    `This runner is ${name}: images can be built on Linux runners only. Use \`runs-on: ubuntu-latest\` for this job (\`mode: plan\` and \`mode: report\` run anywhere).`,
  )
})

test('no logged line is a command to the runner', () => {
  const text = harmless('::error::a\n  ::b::c\r::d::e ##[error]f\nx::y::z')
  for (const line of text.split(/[\r\n]/)) expect(line).not.toMatch(/^\s*::|##\[/)
  expect(text.replaceAll('\u200b', '')).toBe('::error::a\n  ::b::c\r::d::e ##[error]f\nx::y::z')
})
