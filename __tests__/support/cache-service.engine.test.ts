/** The stand-in of GitHub's cache service, used by BuildKit's own cache (`type=gha`). */
import { expect, test } from '@jest/globals'
import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { startCacheService, type CacheService } from './cache-service.ts'
import type { TokenOptions } from './cache-token.ts'
import { docker, standIns, workspace, type Workspace } from './engine.ts'

const MAIN: TokenOptions = { ref: 'refs/heads/main' }
const TOPIC: TokenOptions = { ref: 'refs/heads/topic', defaultRef: 'refs/heads/main' }

/** Files whose steps nobody else has, to be forgotten by name. */
async function project(): Promise<Workspace & { readonly mark: string }> {
  const mark = `mark${randomUUID().slice(0, 8)}`
  const [image] = await standIns('alpine:3.22')
  const lines = [
    `FROM ${image?.ref ?? ''} AS build`,
    `COPY ${mark}.bin /${mark}`,
    `RUN cat /proc/sys/kernel/random/uuid > /${mark}.id`,
    'FROM scratch',
    `COPY --from=build /${mark} /${mark}.id /`,
  ]
  const files = { Dockerfile: `${lines.join('\n')}\n`, [`${mark}.bin`]: randomBytes(2_000_000).toString('base64') }
  return { ...(await workspace(files)), mark }
}

/** A build; gives what its RUN drew by lot, the same as long as that step comes from a cache. */
async function build(
  service: CacheService,
  token: TokenOptions,
  at: Workspace & { readonly mark: string },
): Promise<string> {
  // prettier-ignore
  const { cacheTo, cacheFrom } = service.ghaOptions(token)
  const output = at.path('out')
  const cache = ['--cache-to', cacheTo, '--cache-from', cacheFrom]
  await docker('buildx', 'build', '--provenance=false', ...cache, '--output', output, at.directory)
  return await readFile(at.path('out', `${at.mark}.id`), 'utf8')
}

/** The engine forgets these steps, and no others: other tests use it. */
async function forget({ mark }: { readonly mark: string }): Promise<void> {
  await docker('buildx', 'prune', '--all', '--force', '--filter', `description~=${mark}`)
}

test('a build saves all its steps, another engine restores what it needs', async () => {
  await using service = await startCacheService()
  await using at = await project()
  const drawn = await build(service, MAIN, at)
  const cold = service.stats()
  const keys = cold.entries.map(({ key }) => key)
  expect(keys.filter((key) => key.startsWith('index-buildkit-1-'))).toHaveLength(1)
  expect(keys.filter((key) => key.startsWith('buildkit-blob-1-sha256:')).length).toBeGreaterThanOrEqual(3)
  expect(cold).toMatchObject({ bytesUp: cold.stored, reserved: [] })
  // Its client sends blocks of 1 MiB.
  expect(cold.calls.put).toBeGreaterThan(cold.calls.create)

  await forget(at)
  service.reset()
  // On a branch, from the default branch's scope.
  expect(await build(service, TOPIC, at)).toBe(drawn)
  const warm = service.stats()
  expect(warm.bytesDown).toBeGreaterThan(1_500_000)
  expect(warm.bytesUp).toBeLessThan(10_000)
  expect(new Set(warm.entries.map(({ scope }) => scope))).toEqual(new Set([MAIN.ref, TOPIC.ref]))
  await forget(at)
})

test('what is evicted while the index still lists it is built again', async () => {
  await using service = await startCacheService()
  await using at = await project()
  const drawn = await build(service, MAIN, at)
  await forget(at)
  expect(await service.evict(({ key }) => key.startsWith('buildkit-blob-'))).toBeGreaterThan(0)
  service.reset()
  expect(await build(service, MAIN, at)).not.toBe(drawn)
  // The index, and nothing else.
  expect(service.stats().calls.get).toBe(1)
  await forget(at)
})
