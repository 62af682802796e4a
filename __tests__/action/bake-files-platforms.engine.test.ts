/** `matrix-by: platform` with bake files: targets of different platforms, built on two engines, become images with their own tags. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { PLATFORMS, platformsOf, SplitMatrix } from '../support/split-matrix.ts'
import type { Step } from '../support/step.ts'

const BAKE = `
variable "REGISTRY" {}
variable "TAG" {}
group "default" {
  targets = ["api", "web"]
}
target "base" {
  context = "base"
}
target "api" {
  context   = "api"
  contexts  = { base = "target:base" }
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["\${REGISTRY}/org/app-api:\${TAG}"]
}
target "web" {
  context   = "web"
  platforms = ["linux/arm64"]
  tags      = ["\${REGISTRY}/org/app-web:\${TAG}", "\${REGISTRY}/org/app-web:latest"]
  output    = ["type=registry"]
}
`

const FILES = {
  'docker-bake.hcl': BAKE,
  'base/Dockerfile': 'FROM alpine:3.22\nARG TARGETARCH\nCOPY $TARGETARCH.conf /etc/base.conf\n',
  'base/amd64.conf': 'for amd64\n',
  'base/arm64.conf': 'for arm64, which is longer\n',
  'api/Dockerfile': 'FROM base\nCOPY api /api\n',
  'api/api': 'the api\n',
  'web/Dockerfile': 'FROM scratch\nARG TARGETPLATFORM\nCOPY page /$TARGETPLATFORM/\n',
  'web/page': 'a page\n',
}

const [AMD64, ARM64] = PLATFORMS
const API = PLATFORMS.map((platform) => ({ target: 'api', platform }))
const WEB = { target: 'web', platform: ARM64 }

let matrix: SplitMatrix

beforeAll(async () => {
  matrix = await SplitMatrix.open(FILES)
}, 600_000)

afterAll(async () => {
  await matrix[Symbol.asyncDispose]()
})

/** Bake files say what inputs say in the example of one Dockerfile. */
const FROM_FILES = { 'bake-files': 'docker-bake.hcl', tags: '' }

async function plan(kind: 'push' | 'review', tag: string): Promise<Awaited<ReturnType<SplitMatrix['plan']>>> {
  matrix.variables = { REGISTRY: matrix.registry.host, TAG: tag }
  return await matrix.plan(kind, { ...FROM_FILES, targets: '', platforms: '' })
}

function tags(target: string, ...names: readonly string[]): readonly string[] {
  return names.map((name) => `${matrix.registry.host}/org/app-${target}:${name}`)
}

function sizes(step: Step): readonly (readonly [string, readonly string[]])[] {
  return Object.entries(step.images).map(([name, image]) => [name, Object.keys(image.sizes)])
}

test('targets of a bake file: planned, built a platform each, merged, skipped, re-tagged', async () => {
  const first = await plan('push', 'v1')
  expect(first.legs).toEqual([...API, WEB])
  const [amd64, arm64, web] = await matrix.legs('push', first.legs, FROM_FILES)
  expect([web?.images['web']?.tags, web?.warnings]).toEqual([[`${matrix.registry.host}/org/app-web`], []])
  expect([await matrix.index('api', 'v1'), await matrix.index('web', 'latest')]).toEqual([undefined, undefined])

  const merged = await matrix.merge('push', first.step)
  expect([merged.code, merged.errors, merged.warnings]).toEqual([0, [], []])
  const api = await matrix.index('api', 'v1')
  expect(platformsOf(api)).toEqual([...PLATFORMS, 'attestation', 'attestation'])
  expect(platformsOf(await matrix.index('web', 'v1'))).toEqual([ARM64, 'attestation'])
  expect((await matrix.index('web', 'latest'))?.digest).toBe(merged.images['web']?.digest)
  expect([merged.images['api']?.tags, merged.images['web']?.tags]).toEqual([
    tags('api', 'v1'),
    tags('web', 'v1', 'latest'),
  ])
  expect(sizes(merged)).toEqual([
    ['api', [AMD64, ARM64]],
    ['web', [ARM64]],
  ])
  // What is linked was built for the platform of the leg.
  const [small = 0, large = 0] = [amd64, arm64].map(
    (leg, at) => leg?.images['api']?.sizes[PLATFORMS[at] ?? '']?.unpacked.own ?? 0,
  )
  expect(large - small).toBe(FILES['base/arm64.conf'].length - FILES['base/amd64.conf'].length)

  const written = await matrix.writtenAt('api', 'v1')
  const again = await matrix.merge('push', first.step)
  expect([again.code, again.images['api']?.digest]).toEqual([0, api?.digest])
  expect(await matrix.writtenAt('api', 'v1')).toBe(written)

  const second = await plan('push', 'v2')
  expect([second.legs, second.step.outputs['any-changed']]).toEqual([[], 'false'])
  const retagged = await matrix.merge('push', second.step)
  expect([retagged.code, retagged.errors, retagged.warnings]).toEqual([0, [], []])
  expect((await matrix.index('api', 'v2'))?.digest).toBe(api?.digest)
  expect(sizes(retagged)).toEqual(sizes(merged))

  // What only one platform of a linked target reads: the other platform's leg has nothing to build, nor has the other target.
  await matrix.project.commit({ 'base/arm64.conf': 'changed\n' })
  const third = await plan('push', 'v3')
  expect(third.legs).toEqual(API)
  expect(third.step.stdout).toContain('api: changed (arm64.conf changed (linux/arm64), through target base)')
  const [kept, built] = await matrix.legs('push', third.legs, FROM_FILES)
  expect(kept?.stdout).toContain('api is not built: nothing changed since')
  expect(built?.outputs['built']).toBe('["api"]')
  const joined = await matrix.merge('push', third.step)
  expect([joined.code, joined.errors]).toEqual([0, []])
  const now = await matrix.index('api', 'v3')
  expect(now?.manifests[0]).toEqual(api?.manifests[0])
  expect(now?.manifests[1]).not.toEqual(api?.manifests[1])
  expect((await matrix.index('web', 'v3'))?.digest).toBe(merged.images['web']?.digest)
}, 300_000)

test('a pull request is reported by target and platform; what only its files changed is built', async () => {
  await matrix.project.propose({ 'web/page': 'a page that is a little longer\n' })
  const { step, legs } = await plan('review', 'v4')
  expect(legs).toEqual([WEB])
  await matrix.legs('review', legs, FROM_FILES)
  const report = await matrix.merge('review', step, { mode: 'report', comment: 'always' })
  expect([report.code, report.errors, report.warnings]).toEqual([0, [], []])
  const [comment = '', ...others] = matrix.project.comments()
  expect(others).toEqual([])
  expect(comment).toContain('`docker-bake.hcl`')
  expect(sizes(report)).toEqual([
    ['api', [AMD64, ARM64]],
    ['web', [ARM64]],
  ])
}, 300_000)
