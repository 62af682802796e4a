/** What a build that fails or is cancelled leaves to the next one, on a fresh runner each time. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { labBuild, labRun, LOT, openLab, stepsRun } from '../support/cache-lab.ts'
import { openColdEngine, type ColdEngine } from '../support/cold-engine.ts'
import { workspace } from '../support/engine.ts'

let engine: ColdEngine
beforeAll(async () => {
  engine = await openColdEngine()
}, 600_000)
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
})

test('the last RUN of a single stage fails: the next run has the steps before it', async () => {
  await using lab = await openLab(engine)
  const dockerfile = (last: string): string =>
    `FROM alpine:3.22\nWORKDIR /w\nRUN ${LOT} > /first\nCOPY a /a\nRUN ${LOT} > /second\nRUN ${last}\nCMD ["sh"]\n`
  await using space = await workspace({ Dockerfile: dockerfile('cat /first /second && exit 3'), a: 'a' })
  const failed = await labRun(lab, space)
  expect([failed.main.code, failed.errors.length, failed.warnings]).toEqual([1, 1, []])
  const drawn = /^\[.*\] ([0-9a-f-]{36})$/gm
  const lots = [...failed.log.matchAll(drawn)].map(([, lot]) => lot)
  expect(lots).toHaveLength(2)

  await space.write({ Dockerfile: dockerfile('cat /first /second > /both') })
  const mended = await labBuild(lab, space, { inputs: { outputs: 'type=local,dest=out' } })
  expect(stepsRun(mended)).toEqual({ default: 1 })
  expect((await readFile(space.path('out/both'), 'utf8')).trim().split('\n')).toEqual(lots)
})

const THREE = (fails: string): string =>
  `FROM alpine:3.22 AS shared\nRUN ${LOT} > /shared\n` +
  `FROM shared AS quick\nRUN ${LOT} > /quick\n` +
  `FROM shared AS bad\nRUN ${LOT} > /before\nRUN sleep 0.5 && ${fails}\n` +
  `FROM shared AS slow\nRUN sleep 3 && ${LOT} > /slow\nRUN ${LOT} > /end\n`

test('one of three targets fails with `fail-fast`: the others are finished for the cache; with no-cache they are not', async () => {
  await using lab = await openLab(engine)
  await using space = await workspace({ Dockerfile: THREE('exit 1') })
  const inputs = { targets: 'quick,bad,slow', 'fail-fast': 'true' }
  const failed = await labRun(lab, space, { inputs })
  expect([failed.main.code, failed.errors.length, failed.warnings]).toEqual([1, 1, []])
  await space.write({ Dockerfile: THREE('true') })
  const mended = await labBuild(lab, space, { inputs })
  expect(stepsRun(mended)).toEqual({ quick: 0, bad: 1, slow: 0 })

  await space.write({ Dockerfile: THREE('exit 2') })
  const again = await labRun(lab, space, { inputs: { ...inputs, 'no-cache': 'true' } })
  expect([again.main.code, again.log.includes('Finishing for the layer cache')]).toEqual([1, false])
  expect(again.log).not.toMatch(/✓ \[slow 2\/2\]/)
})

test('a run that is cancelled leaves nothing behind, and nothing that harms the next', async () => {
  await using lab = await openLab(engine)
  const dockerfile = (rest: string): string => `FROM alpine:3.22\nRUN ${LOT} > /first\nRUN ${rest}\n`
  await using space = await workspace({ Dockerfile: dockerfile(`sleep 60 && ${LOT} > /second`) })
  const cancel = new AbortController()
  const started = performance.now()
  const cancelled = await labRun(lab, space, {
    signal: cancel.signal,
    onLog: (text) => {
      if (text.includes('✓')) cancel.abort()
    },
  })
  expect(performance.now() - started).toBeLessThan(20_000)
  expect(cancelled.main.code).not.toBe(0)
  expect(cancelled.stats.reserved).toEqual([])
  expect(cancelled.log).toContain('The build was cancelled.')
  await space.write({ Dockerfile: dockerfile(`${LOT} > /second`) })
  const next = await labBuild(lab, space)
  expect(cancelled.stats.entries.length === 0 || stepsRun(next)['default'] === 1).toBe(true)
  expect(stepsRun(await labBuild(lab, space))).toEqual({ default: 0 })
})
