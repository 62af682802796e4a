import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { rawJsonReader, type ProgressEvents } from '../../src/build/rawjson.ts'
import { readFixture } from './fixtures.ts'

function read(text: string, cuts: readonly number[] = []): { events: ProgressEvents[]; lines: string[] } {
  const events: ProgressEvents[] = []
  const lines: string[] = []
  const reader = rawJsonReader(
    (event) => events.push(event),
    (line) => lines.push(line),
  )
  let from = 0
  for (const cut of [...cuts.toSorted((a, b) => a - b), text.length]) {
    reader.push(text.slice(from, cut))
    from = cut
  }
  reader.end()
  return { events, lines }
}

describe('the progress stream', () => {
  test('reads the same however it is cut', async () => {
    const text = await readFixture('failing-run.rawjson')
    const whole = read(text)
    expect(whole.events.flatMap((event) => event.logs)).not.toHaveLength(0)
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 40 }), (cuts) => {
        expect(read(text, cuts)).toEqual(whole)
      }),
      { numRuns: 25 },
    )
  })

  test('keeps buildx’s own words apart: the excerpt of the Dockerfile and the error', async () => {
    const { lines } = read(await readFixture('failing-run.rawjson'))
    expect(lines[0]).toBe('fail.Dockerfile:2')
    expect(lines.at(-1)).toMatch(/^ERROR: target base: failed to solve: process/)
  })

  test('takes a line without its end, an empty object and broken JSON', () => {
    const { events, lines } = read('{}\n{"logs":[{"vertex":"sha256:1","data":"aGk="}]}\n{"vertexes":[\nERROR: x')
    expect(events.flatMap((event) => event.logs.map((log) => [log.stream, log.data.toString()]))).toEqual([[1, 'hi']])
    expect(lines).toEqual(['{"vertexes":[', 'ERROR: x'])
  })

  test('takes Go’s zero time for no time', () => {
    const line = '{"vertexes":[{"digest":"sha256:1","name":"n","started":"0001-01-01T00:00:00Z"}]}'
    expect(read(line).events[0]?.vertexes[0]?.startedMs).toBeUndefined()
  })
})
