import { expect, test } from '@jest/globals'
import { realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { readFileCommands, runAction, runStep } from './action.ts'

const entry = '__tests__/support/echo-action.mjs'

test('a step gets its inputs and the defaults of action.yml, and everything it says is read back', async () => {
  const workspace = await realpath(tmpdir())
  const targets = 'a<<b\nghadelimiter_x\n\nlast=1'
  const { main, post } = await runStep({ inputs: { targets }, workspace, entry, env: { GITHUB_REF: undefined } })
  expect(main.code).toBe(3)
  expect(main.outputs).toEqual({ plan: targets, matrix: `${workspace}|false|` })
  expect(main.state).toEqual({ isPost: 'true', text: 'two\nlines' })
  expect(main.summary).toContain('# Sum')
  expect(main.masks).toEqual(['hush%\n'])
  expect(main.leftovers).toEqual(['left'])
  expect(main.stderr).toBe('no token\n')
  const nowhere = { file: undefined, line: undefined, endLine: undefined, title: undefined }
  expect(main.annotations).toEqual([
    { level: 'error', message: '50%: no\nsuch thing', file: 'a,b:c/Dockerfile', line: 3, endLine: 4, title: 'T' },
    { level: 'notice', message: 'heard', ...nowhere },
  ])
  expect(post).toMatchObject({ code: 0, stdout: 'post of two\nlines\n', leftovers: ['left'] })
})

test('an input that action.yml does not have is refused', async () => {
  await expect(runAction({ inputs: { tagets: 'x' }, workspace: tmpdir(), entry })).rejects.toThrow('no input tagets')
})

test('a file command without its delimiter is refused', () => {
  expect(readFileCommands('a=b=c\nd<<E\n1\n2\nE\n')).toEqual({ a: 'b=c', d: '1\n2' })
  expect(() => readFileCommands('d<<E\n1\n')).toThrow('delimiter')
})
