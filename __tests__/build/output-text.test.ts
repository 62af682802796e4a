import { describe, expect, test } from '@jest/globals'
import { outputLines, shownText } from '../../src/build/output-text.ts'

const same = (text: string): string => text

function collect(
  chunks: readonly (string | Buffer)[],
  options: { keep?: number; mask?: (text: string) => string } = {},
): string[] {
  const lines: string[] = []
  const output = outputLines(options.keep ?? 40, options.mask ?? same, (line) => lines.push(line))
  for (const chunk of chunks) output.push(1, Buffer.from(chunk))
  output.end()
  return lines
}

describe('what commands print', () => {
  test('is put together from bytes cut anywhere, in the middle of a character too', () => {
    const bytes = Buffer.from('größe ☃ 🎉\nzwei')
    const single = [...bytes].map((byte) => Buffer.from([byte]))
    expect(collect(single)).toEqual(['größe ☃ 🎉', 'zwei'])
  })

  test('keeps the two streams apart and only the last lines', () => {
    const lines: string[] = []
    const output = outputLines(2, same, (line) => lines.push(line))
    output.push(1, Buffer.from('a'))
    output.push(2, Buffer.from('err\n'))
    output.push(1, Buffer.from('b\nc\n'))
    output.end()
    expect(lines).toEqual(['err', 'ab', 'c'])
    expect(output.tail()).toEqual(['ab', 'c'])
  })

  test('masks a secret that stands across the place where a long line is cut', () => {
    const secret = 'topsecret'
    const [line] = collect([`${'x'.repeat(1995)}${secret}${'y'.repeat(100_000)}\n`], {
      mask: (text) => text.replaceAll(secret, '***'),
    })
    expect(line).not.toContain('tops')
    expect(line?.length).toBeLessThanOrEqual(2001)
  })

  test('masks a secret that control characters cut in two', () => {
    const mask = (text: string): string => text.replaceAll('topsecret', '***')
    expect(collect(['top\u0000secret and top\u001b[2Ksecret\n'], { mask })).toEqual(['*** and ***'])
  })

  test.each([
    ['\u001b[31mred\u001b[0m', '\u001b[31mred\u001b[0m'],
    ['\u001b[2K\u001b[1Gprogress', 'progress'],
    ['\u001b]0;title\u0007text', 'text'],
    ['50%\r100%', '100%'],
    ['done\r', 'done'],
    ['##[error]x', '#\u200b#[error]x'],
    ['#\u0000#[error]x', '#\u200b#[error]x'],
    ['tab\tstays', 'tab\tstays'],
  ])('shows %j as %j', (printed, shown) => {
    expect(collect([`${printed}\n`])).toEqual([shown])
  })

  test('never makes two lines of one', () => {
    expect(shownText(same, 'a\n::error::b\r::error::c\u2028d')).toBe('a::error::b::error::cd')
  })
})
