/** `matrix-by: platform` and `mode: merge`: platforms built on two engines become one image, and one report. */
import { expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { PLATFORMS, platformsOf, SplitMatrix } from '../support/split-matrix.ts'

const noise = (bytes: number): string => randomBytes((bytes * 3) / 4).toString('base64')

/** Nothing runs, so that an engine builds for whatever platform. */
const DOCKERFILE = `ARG TARGETARCH
FROM scratch AS files-amd64
COPY for-amd64 /program
FROM scratch AS files-arm64
COPY for-arm64 /program
FROM files-$TARGETARCH AS prod
COPY settings /settings
CMD ["/program"]
FROM files-$TARGETARCH AS debug
COPY symbols /symbols
`

const FILES = {
  Dockerfile: DOCKERFILE,
  'for-amd64': noise(80_000),
  'for-arm64': noise(60_000),
  settings: 'a',
  symbols: noise(40_000),
}

const BOTH = PLATFORMS.map((platform) => ({ target: 'prod', platform }))
const ALL = ['prod', 'debug'].flatMap((target) => PLATFORMS.map((platform) => ({ target, platform })))

test('two engines build a platform each, one job makes the image: planned, merged, skipped, re-tagged', async () => {
  await using matrix = await SplitMatrix.open(FILES)
  const annotations = { annotations: 'index:org.example.team=blue' }

  const first = await matrix.plan('push', annotations)
  expect(first.legs).toEqual(ALL)
  const legs = await matrix.legs('push', first.legs, annotations)
  expect(await matrix.index('prod', 'v1')).toBeUndefined()
  const merged = await matrix.merge('push', first.step)
  expect([merged.code, merged.errors, merged.warnings]).toEqual([0, [], []])

  const index = await matrix.index('prod', 'v1')
  expect(platformsOf(index)).toEqual([...PLATFORMS, 'attestation', 'attestation'])
  expect(index?.annotations).toEqual({ 'org.example.team': 'blue' })
  expect(merged.images['prod']).toMatchObject({
    digest: index?.digest,
    tags: [`${matrix.registry.host}/org/app-prod:v1`],
  })
  expect(JSON.parse(merged.outputs['metadata'] ?? '')).toMatchObject({
    prod: { 'containerimage.digest': index?.digest },
  })
  for (const [at, platform] of PLATFORMS.entries()) {
    const part = await matrix.index('prod', legs[at]?.images['prod']?.digest ?? '')
    expect(platformsOf(part)).toEqual([platform, 'attestation'])
    for (const entry of part?.manifests ?? []) expect(index?.manifests).toContainEqual(entry)
  }
  for (const { digest } of index?.manifests ?? []) expect(await matrix.index('prod', digest)).toBeDefined()
  expect(Object.keys(merged.images['prod']?.sizes ?? {})).toEqual([...PLATFORMS])
  const [amd64, arm64] = PLATFORMS.map((name) => merged.images['prod']?.sizes[name]?.transfer.total ?? 0)
  expect(amd64).toBeGreaterThan((arm64 ?? 0) + 5_000)

  // The job again: everything is as it should be, so nothing is written.
  const written = await matrix.writtenAt('prod', 'v1')
  const again = await matrix.merge('push', first.step)
  expect([again.code, again.images['prod']?.digest]).toEqual([0, index?.digest])
  expect(again.summary).toContain('its tags are there already')
  expect(await matrix.writtenAt('prod', 'v1')).toBe(written)

  // Nothing changed: nothing is built, and the image of both platforms gets the new tag.
  const second = await matrix.plan('push', { ...annotations, tags: matrix.tag('v2') })
  expect([second.legs, second.step.outputs['any-changed']]).toEqual([[], 'false'])
  const retagged = await matrix.merge('push', second.step)
  expect([retagged.code, retagged.warnings]).toEqual([0, []])
  expect((await matrix.index('prod', 'v2'))?.digest).toBe(index?.digest)
  expect(Object.keys(retagged.images['debug']?.sizes ?? {})).toEqual([...PLATFORMS])

  // One platform of one target changed: both of its legs run, and the one that need not build does not.
  await matrix.project.commit({ 'for-arm64': noise(70_000), Dockerfile: DOCKERFILE.replace('AS debug', 'AS other') })
  const third = await matrix.plan('push', { ...annotations, targets: 'prod', tags: matrix.tag('v3') })
  expect(third.legs).toEqual(BOTH)
  expect(third.step.stdout).toMatch(/for-arm64 changed.* \(linux\/arm64\)/)
  const [kept, built] = await matrix.legs('push', third.legs, annotations)
  expect(kept?.stdout).toContain('prod is not built: nothing changed since')
  expect(built?.outputs['built']).toBe('["prod"]')
  const third3 = await matrix.merge('push', third.step)
  expect(third3.code).toBe(0)
  const now = await matrix.index('prod', 'v3')
  expect(now?.manifests[0]).toEqual(index?.manifests[0])
  expect(now?.manifests[1]).not.toEqual(index?.manifests[1])
}, 300_000)
