import { describe, expect, test } from '@jest/globals'
import { annotation, limitAnnotations } from '../../src/report/annotations.ts'

const options = { level: 'error', workspace: '/home/runner/work/app' } as const

describe('an annotation', () => {
  test('stands on its file and lines, relative to the repository', () => {
    const problem = {
      message: 'No stage `x`.',
      mend: 'Name one.',
      file: '/home/runner/work/app/web/Dockerfile',
      line: 3,
      endLine: 5,
    }
    expect(annotation(problem, options)).toEqual({
      level: 'error',
      title: 'Dockerfile',
      message: 'No stage `x`. Name one.',
      file: 'web/Dockerfile',
      startLine: 3,
      endLine: 5,
    })
    expect(annotation({ message: 'm', file: './web/../Dockerfile', line: 3 }, options)).toMatchObject({
      file: 'Dockerfile',
      startLine: 3,
      endLine: 3,
    })
  })

  test('names a file outside of the repository in its message instead', () => {
    for (const file of ['/tmp/Dockerfile', '../other/Dockerfile', '/home/runner/work/app2/Dockerfile']) {
      expect(annotation({ message: 'Wrong.', file, line: 7 }, options)).toMatchObject({
        file: undefined,
        startLine: undefined,
        endLine: undefined,
        message: `${file}:7: Wrong.`,
      })
    }
  })

  test('about an input is titled with it', () => {
    expect(annotation({ message: 'm', input: 'targets' }, options).title).toBe('Input targets')
    expect(annotation({ message: 'm' }, options).title).toBe('stage-build')
  })

  test('ends with the last lines that were printed', () => {
    const lastLines = Array.from({ length: 40 }, (_, i) => `line ${i}`)
    expect(annotation({ message: 'RUN failed.' }, { ...options, lastLines }).message.split('\n')).toEqual([
      'RUN failed.',
      'The last lines that it printed:',
      ...lastLines.slice(-15).map((line) => `  ${line}`),
    ])
  })

  test('is bounded and holds no control characters, whatever its parts', () => {
    const huge = '\u001b]0;x\u0007\r\n'.repeat(20_000)
    const made = annotation({ message: huge, mend: huge, file: huge }, { ...options, title: huge, lastLines: [huge] })
    expect(made.message.length).toBeLessThanOrEqual(4_000)
    expect(made.title.length).toBeLessThanOrEqual(1_000)
    expect(`${made.title}${made.message.replaceAll('\n', '')}`).not.toMatch(/[\u0000-\u001f]/)
  })
})

describe('more than ten annotations', () => {
  const many = (n: number) => Array.from({ length: n }, (_, i) => annotation({ message: `${i}` }, options))

  test('become nine and one that counts the rest', () => {
    expect(limitAnnotations(many(10))).toHaveLength(10)
    const limited = limitAnnotations(many(25))
    expect(limited).toHaveLength(10)
    expect(limited.at(-1)).toMatchObject({
      title: '+16 more',
      message: "16 more errors are in the step's log.",
    })
  })
})
