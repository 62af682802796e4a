/** Every way in which the artifact service fails ends as data with a sentence, within the time that it was given. */
import { expect, test } from '@jest/globals'
import { artifactName, ENTRY_NAME, type Leg } from '../../src/handover/artifact-name.ts'
import { startArtifactService, type ArtifactOperation, type ArtifactService } from '../support/artifact-service.ts'
import { artifactStep } from '../support/artifact-step.ts'
import type { FaultEffect, FaultRule } from '../support/cache-faults.ts'
import { rawZip } from '../support/raw-zip.ts'

const NAME = artifactName(legFor('prod'), 1)
const OTHER = artifactName(legFor('other'), 1)

function legFor(target: string): Leg {
  return { id: 'app', cells: [{ target, platform: 'linux/amd64' }] }
}

function packed(text: string): Buffer {
  return rawZip([{ name: ENTRY_NAME, content: Buffer.from(text) }])
}

/** Two legs have handed over. */
async function withTwo(): Promise<ArtifactService> {
  const service = await startArtifactService()
  await service.plant({ by: { runId: 1 }, name: NAME, bytes: packed('"prod"') })
  await service.plant({ by: { runId: 1 }, name: OTHER, bytes: packed('"other"') })
  return service
}

const status = (code: number): FaultEffect => ({ kind: 'status', status: code })

const UPLOADS: readonly (readonly [string, FaultRule<ArtifactOperation>, string, RegExp])[] = [
  ['403', { operation: 'create', effect: { kind: 'forbidden' } }, 'denied', /: \(403\) Forbidden: .*\.$/],
  [
    '429',
    { operation: 'create', effect: status(429) },
    'limited',
    /: \(429\) Too Many Requests: status 429 on demand, and no better within 6 s\.$/,
  ],
  [
    '500',
    { operation: 'finalize', effect: status(500) },
    'service',
    /: \(500\) Internal .*, and no better within 6 s\.$/,
  ],
  ['a reset', { operation: 'create', effect: { kind: 'reset' } }, 'service', /ECONNRESET/],
  [
    'no answer',
    { operation: 'finalize', effect: { kind: 'hang' } },
    'service',
    /: there was no end of it within 6 s\.$/,
  ],
  ['half an answer', { operation: 'create', effect: { kind: 'truncate' } }, 'service', /./],
  ['403 of the blob', { operation: 'put', effect: { kind: 'forbidden' } }, 'denied', /AuthorizationFailure|403/],
]

test.concurrent.each(UPLOADS)('an upload: %s', async (_, rule, why, warning) => {
  await using service = await startArtifactService()
  const fault = service.fail(rule)
  await using step = await artifactStep(service.env({ runId: 1 }), { timeoutMs: 6_000 })
  const start = performance.now()
  const outcome = await step.upload(NAME, '{}')
  expect(performance.now() - start).toBeLessThan(8_000)
  expect(fault.hits()).toBeGreaterThan(0)
  expect(outcome).toMatchObject({ kind: 'failed', why })
  expect(outcome.kind === 'failed' && outcome.warning).toMatch(warning)
  expect(outcome.kind === 'failed' && outcome.warning).toMatch(
    /^The sizes could not be handed over to the report job: [^\n]{5,320}\.$/,
  )
  expect(service.stats().artifacts).toEqual([])
})

test.concurrent.each([
  ['503 of the service', { operation: 'create', effect: status(503) }],
  ['429 of the service', { operation: 'finalize', effect: status(429) }],
  ['a reset', { operation: 'create', effect: { kind: 'reset' } }],
  ['a reset, and the name is taken', { operation: 'create', effect: { kind: 'reset' }, late: true }],
  ['a reset at its end', { operation: 'finalize', effect: { kind: 'reset' } }],
  ['a reset after its end', { operation: 'finalize', effect: { kind: 'reset' }, late: true }],
  ['a reset of the blob', { operation: 'put', effect: { kind: 'reset' } }],
] satisfies readonly (readonly [string, FaultRule<ArtifactOperation>])[])('an upload: %s once', async (_, rule) => {
  await using service = await startArtifactService()
  const fault = service.fail({ ...rule, times: 1 })
  await using step = await artifactStep(service.env({ runId: 1 }))
  expect(await step.upload(NAME, '"it"')).toMatchObject({ kind: 'uploaded' })
  expect(fault.hits()).toBe(1)
  expect(await step.fetch('own')).toMatchObject({ kind: 'fetched', texts: [{ text: '"it"' }], left: [] })
})

test.concurrent('a listing: a reset once', async () => {
  await using service = await withTwo()
  service.fail({ operation: 'list', effect: { kind: 'reset' }, times: 1 })
  await using step = await artifactStep(service.env({ runId: 1 }))
  expect(await step.fetch('own')).toMatchObject({ kind: 'fetched', texts: [{}, {}], left: [] })
})

const LISTINGS: readonly (readonly [string, FaultEffect, string])[] = [
  ['403', { kind: 'forbidden' }, 'denied'],
  ['429', status(429), 'limited'],
  ['503', status(503), 'service'],
  ['a reset', { kind: 'reset' }, 'service'],
  ['no answer', { kind: 'hang' }, 'service'],
]

test.concurrent.each(LISTINGS)('a listing: %s', async (_, effect, why) => {
  await using service = await withTwo()
  service.fail({ operation: 'list', effect })
  await using step = await artifactStep(service.env({ runId: 1 }), { timeoutMs: 6_000 })
  const outcome = await step.fetch('own')
  expect(outcome).toMatchObject({ kind: 'failed', why })
  expect(outcome.kind === 'failed' && outcome.warning).toMatch(
    /^What the jobs of this run handed over could not be fetched: [^\n]{5,320}\.$/,
  )
})

const DOWNLOADS: readonly (readonly [string, FaultEffect, RegExp])[] = [
  ['403', { kind: 'forbidden' }, /^the service answered 403$/],
  ['429', status(429), /did not come within 7 s/],
  ['500', status(500), /did not come within 7 s/],
  ['a reset', { kind: 'reset' }, /did not come within 7 s/],
  ['no answer', { kind: 'hang' }, /did not come within 7 s/],
  ['half of it', { kind: 'truncate' }, /the connection broke/],
  ['a wrong bit', { kind: 'flip' }, /its bytes are not those that were uploaded/],
]

test.concurrent.each(DOWNLOADS)('one of two downloads: %s; the other comes all the same', async (_, effect, reason) => {
  await using service = await withTwo()
  const fault = service.fail({ operation: 'get', key: 'prod', effect })
  await using step = await artifactStep(service.env({ runId: 1 }), { limits: { timeMs: 7_000 } })
  expect(await step.fetch('own')).toEqual({
    kind: 'fetched',
    texts: [{ name: OTHER, text: '"other"' }],
    left: [{ name: NAME, reason: expect.stringMatching(reason) as unknown }],
  })
  expect(fault.hits()).toBeGreaterThan(0)
})

test.concurrent.each([
  ['half of it', { kind: 'truncate' }],
  ['a wrong bit', { kind: 'flip' }],
  ['503', status(503)],
] as const)('a download: %s once', async (_, effect) => {
  await using service = await withTwo()
  service.fail({ operation: 'get', key: 'prod', effect, times: 1 })
  await using step = await artifactStep(service.env({ runId: 1 }))
  expect(await step.fetch('own')).toMatchObject({ kind: 'fetched', texts: [{}, {}], left: [] })
})

test.concurrent('the time is up: what has come counts', async () => {
  await using service = await withTwo()
  service.fail({ operation: 'get', key: 'prod', effect: { kind: 'hang' } })
  await using step = await artifactStep(service.env({ runId: 1 }), { timeoutMs: 6_000 })
  expect(await step.fetch('own')).toEqual({
    kind: 'fetched',
    texts: [{ name: OTHER, text: '"other"' }],
    left: [],
    warning: 'What the jobs of this run handed over could not be fetched: there was no end of it within 6 s.',
  })
})

test.concurrent('an artifact that has expired, and a run that is not there', async () => {
  await using service = await startArtifactService()
  await service.plant({ by: { runId: 1 }, name: NAME, bytes: packed('1'), expired: true })
  const place = { owner: 'owner', repository: 'repo', token: service.tokens.actionsRead }
  await using step = await artifactStep(service.env({ runId: 2 }))
  expect(await step.fetch({ ...place, runId: 1 })).toMatchObject({
    kind: 'fetched',
    texts: [],
    left: [{ name: NAME, reason: expect.stringMatching(/^Artifact has expired/) as unknown }],
  })
  expect(await step.fetch({ ...place, runId: 99 })).toMatchObject({ kind: 'failed', why: 'denied' })
  expect(await step.fetch({ ...place, runId: 1, token: 'wrong' })).toMatchObject({ kind: 'failed', why: 'denied' })
})

test.concurrent('a service that is not there, a server that has none, a client that is not there', async () => {
  await using service = await startArtifactService()
  const env = service.env({ runId: 1 })
  await using gone = await artifactStep({ ...env, ACTIONS_RESULTS_URL: 'http://127.0.0.1:9/' })
  expect(await gone.upload(NAME, '{}')).toMatchObject({
    kind: 'failed',
    why: 'service',
    warning: expect.stringMatching(/ECONNREFUSED/) as unknown,
  })
  await using server = await artifactStep({ ...env, GITHUB_SERVER_URL: 'https://github.example.com' })
  expect(await server.upload(NAME, '{}')).toMatchObject({
    kind: 'failed',
    why: 'denied',
    warning: expect.stringMatching(/not currently supported on GHES/) as unknown,
  })
  await using torn = await artifactStep({ ...env, ACTIONS_RUNTIME_TOKEN: 'none' })
  expect(await torn.upload(NAME, '{}')).toMatchObject({ kind: 'failed', why: 'service' })
})
