/** `matrix-by: platform` and `mode: merge`: platforms built on two engines become one image, and one report. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { REPOSITORY } from '../support/action.ts'
import { PLATFORMS, platformsOf, SplitMatrix } from '../support/split-matrix.ts'

async function readFolder(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = paths.map(async (path) => [relative(folder, path), await readFile(path, 'utf8')] as const)
  return Object.fromEntries(await Promise.all(texts))
}

const noise = (bytes: number): string => randomBytes((bytes * 3) / 4).toString('base64')

/** The example, in which only a stage for the machine that builds runs anything; and what tells its platforms apart. */
const FILES = {
  ...(await readFolder(join(REPOSITORY, 'examples/platforms'))),
  'settings/amd64.conf': noise(80_000),
  'settings/arm64.conf': noise(60_000),
}

let matrix: SplitMatrix

beforeAll(async () => {
  matrix = await SplitMatrix.open(FILES)
}, 600_000)

afterAll(async () => {
  await matrix[Symbol.asyncDispose]()
})

const BOTH = PLATFORMS.map((platform) => ({ target: 'production', platform }))
const ALL = ['production', 'debug'].flatMap((target) => PLATFORMS.map((platform) => ({ target, platform })))

test('two engines build a platform each, one job makes the image: planned, merged, skipped, re-tagged', async () => {
  const annotations = { annotations: 'index:org.example.team=blue' }

  const first = await matrix.plan('push', { ...annotations, targets: 'production' })
  expect(first.legs).toEqual(BOTH)
  const legs = await matrix.legs('push', first.legs, annotations)
  expect(await matrix.index('production', 'v1')).toBeUndefined()
  const merged = await matrix.merge('push', first.step)
  expect([merged.code, merged.errors, merged.warnings]).toEqual([0, [], []])

  const index = await matrix.index('production', 'v1')
  expect(platformsOf(index)).toEqual([...PLATFORMS, 'attestation', 'attestation'])
  expect(index?.annotations).toEqual({ 'org.example.team': 'blue' })
  expect(merged.images['production']).toMatchObject({
    digest: index?.digest,
    tags: [`${matrix.registry.host}/org/app-production:v1`],
  })
  expect(JSON.parse(merged.outputs['metadata'] ?? '')).toMatchObject({
    production: { 'containerimage.digest': index?.digest },
  })
  for (const [at, platform] of PLATFORMS.entries()) {
    const part = await matrix.index('production', legs[at]?.images['production']?.digest ?? '')
    expect(platformsOf(part)).toEqual([platform, 'attestation'])
    for (const entry of part?.manifests ?? []) expect(index?.manifests).toContainEqual(entry)
  }
  for (const { digest } of index?.manifests ?? []) expect(await matrix.index('production', digest)).toBeDefined()
  expect(Object.keys(merged.images['production']?.sizes ?? {})).toEqual([...PLATFORMS])
  const [amd64, arm64] = PLATFORMS.map((name) => merged.images['production']?.sizes[name]?.transfer.total ?? 0)
  expect(amd64).toBeGreaterThan((arm64 ?? 0) + 5_000)

  // The job again: everything is as it should be, so nothing is written.
  const written = await matrix.writtenAt('production', 'v1')
  const again = await matrix.merge('push', first.step)
  expect([again.code, again.images['production']?.digest]).toEqual([0, index?.digest])
  expect(again.summary).toContain('its tags are there already')
  expect(await matrix.writtenAt('production', 'v1')).toBe(written)

  // Nothing changed: nothing is built, and the image of both platforms gets the new tag.
  const second = await matrix.plan('push', { ...annotations, targets: 'production', tags: matrix.tag('v2') })
  expect([second.legs, second.step.outputs['any-changed']]).toEqual([[], 'false'])
  const retagged = await matrix.merge('push', second.step)
  expect([retagged.code, retagged.warnings]).toEqual([0, []])
  expect((await matrix.index('production', 'v2'))?.digest).toBe(index?.digest)
  expect(Object.keys(retagged.images['production']?.sizes ?? {})).toEqual([...PLATFORMS])

  // One platform of one target changed: both of its legs run, and the one that need not build does not.
  await matrix.project.commit({ 'settings/arm64.conf': noise(70_000) })
  const third = await matrix.plan('push', { ...annotations, targets: 'production', tags: matrix.tag('v3') })
  expect(third.legs).toEqual(BOTH)
  expect(third.step.stdout).toMatch(/settings\/arm64.conf changed.* \(linux\/arm64\)/)
  const [kept, built] = await matrix.legs('push', third.legs, annotations)
  expect(kept?.stdout).toContain('production is not built: nothing changed since')
  expect(built?.outputs['built']).toBe('["production"]')
  const joined = await matrix.merge('push', third.step)
  expect(joined.code).toBe(0)
  const now = await matrix.index('production', 'v3')
  expect(now?.manifests[0]).toEqual(index?.manifests[0])
  expect(now?.manifests[1]).not.toEqual(index?.manifests[1])
}, 300_000)

test('without a leg a target gets no tags, others do; when the leg has run, it gets them', async () => {
  await matrix.project.commit({ 'greeting.txt': 'Good evening, ARCH.' })
  const { step: plan, legs } = await matrix.plan('push', { tags: matrix.tag('w1') })
  expect(legs).toEqual(ALL)
  const [, arm64, ...others] = legs
  await matrix.legs('push', [{ target: 'production', platform: 'linux/amd64' }, ...others])
  const partial = await matrix.merge('push', plan)
  expect(partial.code).toBe(1)
  expect(partial.errors).toEqual([
    expect.stringContaining('`production` gets no tags: nothing came of its leg for `linux/arm64`'),
  ])
  expect([await matrix.index('production', 'w1'), Object.keys(partial.images)]).toEqual([
    undefined,
    ['production', 'debug'],
  ])
  expect([partial.images['production']?.digest, partial.images['production']?.tags]).toEqual([null, []])
  expect(platformsOf(await matrix.index('debug', 'w1')).slice(0, 2)).toEqual([...PLATFORMS])

  await matrix.legs('push', arm64 === undefined ? [] : [arm64])
  // Tags may be given here; the ones of the plan are for those that do not.
  const whole = await matrix.merge('push', plan, { tags: [matrix.tag('w1'), matrix.tag('latest')].join('\n') })
  expect([whole.code, whole.errors]).toEqual([0, []])
  const index = await matrix.index('production', 'w1')
  expect(platformsOf(index).slice(0, 2)).toEqual([...PLATFORMS])
  expect((await matrix.index('production', 'latest'))?.digest).toBe(index?.digest)
}, 300_000)

test('on a pull request nothing is pushed, and one comment tells sizes and budgets of each platform', async () => {
  await matrix.project.propose({ 'settings/arm64.conf': noise(400_000) })
  const { step: plan, legs } = await matrix.plan('review', { targets: 'production' })
  expect(legs).toEqual(BOTH)
  await matrix.legs('review', legs)
  const merged = await matrix.merge('review', plan, {
    'size-budgets': 'production@linux/arm64=+10kB\nproduction@linux/amd64=+10kB',
  })
  expect([merged.code, merged.errors]).toEqual([1, [expect.stringContaining('linux/arm64')]])
  const [comment = '', ...others] = matrix.project.comments()
  expect(others).toEqual([])
  expect(comment).toMatch(/`production`.*linux\/arm64/)
  expect(comment).toContain('TARGETARCH.conf /etc/greeting.conf')
  expect(comment).toContain('linux/amd64')
  expect(merged.images['production']?.digest).toBeNull()
}, 300_000)
