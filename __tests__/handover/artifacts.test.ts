/** What legs hand over comes to the report job: the real `@actions/artifact`, asked of a service with GitHub's rules. */
import { expect, test } from '@jest/globals'
import { readdir } from 'node:fs/promises'
import { artifactName, type Leg } from '../../src/handover/artifact-name.ts'
import { recordPlaces, measuredRun } from '../../src/handover/fork-run.ts'
import { REPOSITORY, startArtifactService } from '../support/artifact-service.ts'
import { artifactStep } from '../support/artifact-step.ts'

const AMD: Leg = { id: 'app', cells: [{ target: 'prod', platform: 'linux/amd64' }] }
const ARM: Leg = { id: 'app', cells: [{ target: 'prod', platform: 'linux/arm64' }] }

test.concurrent('two legs at once hand over, the report job gets both; nothing is left on disk', async () => {
  await using service = await startArtifactService()
  await using one = await artifactStep(service.env({ runId: 1, job: 'one' }))
  await using two = await artifactStep(service.env({ runId: 1, job: 'two' }))
  const names = [artifactName(AMD, 1), artifactName(ARM, 1)] as const
  const uploads = await Promise.all([one.upload(names[0], '{"leg":"é1"}'), two.upload(names[1], '{"leg":2}')])
  expect(uploads).toEqual([
    expect.objectContaining({ kind: 'uploaded' }),
    expect.objectContaining({ kind: 'uploaded' }),
  ])
  // Another artifact of the run, which is the user's.
  await service.plant({ by: { runId: 1 }, name: 'coverage', bytes: Buffer.from('anything') })

  await using report = await artifactStep(service.env({ runId: 1, job: 'report' }))
  const got = await report.fetch('own')
  expect(got).toMatchObject({ kind: 'fetched', left: [] })
  expect(got.kind === 'fetched' && got.texts).toEqual([
    { name: names[1], text: '{"leg":2}' },
    { name: names[0], text: '{"leg":"é1"}' },
  ])
  expect(got).not.toHaveProperty('warning')
  expect(service.stats().calls).toMatchObject({ create: 2, finalize: 2, get: 2, restList: 0, restZip: 0 })
  await expect(readdir(report.folder)).rejects.toThrow('ENOENT')
  expect([...one.lines, ...report.lines].join('\n')).not.toMatch(/::|sig=(?!\*)/)
})

test.concurrent('another run sees none of them, and a run without any gets none', async () => {
  await using service = await startArtifactService()
  await using one = await artifactStep(service.env({ runId: 1 }))
  await one.upload(artifactName(AMD, 1), '{}')
  await using other = await artifactStep(service.env({ runId: 2 }))
  expect(await other.fetch('own')).toEqual({ kind: 'fetched', texts: [], left: [] })
})

test.concurrent(
  'a leg that ran again hands over anew: the higher attempt counts, legs that did not run again stay',
  async () => {
    await using service = await startArtifactService()
    await using first = await artifactStep(service.env({ runId: 1, job: 'a' }))
    await first.upload(artifactName(AMD, 1), '"amd 1"')
    await first.upload(artifactName(ARM, 1), '"arm 1"')
    await using again = await artifactStep(service.env({ runId: 1, attempt: 2, job: 'b' }))
    expect(await again.upload(artifactName(ARM, 2), '"arm 2"')).toMatchObject({ kind: 'uploaded' })

    const env = service.env({ runId: 1, attempt: 2, job: 'report' })
    await using report = await artifactStep(env)
    const places = recordPlaces(undefined, env, service.tokens.actionsRead)
    const got = await report.fetch(...places)
    expect(got.kind === 'fetched' && got.texts.map(({ text }) => text).sort()).toEqual(['"amd 1"', '"arm 2"'])

    // Without the REST API the runner's token does not open what an earlier attempt handed over.
    await using poor = await artifactStep(env, { limits: { timeMs: 5_000 } })
    expect(await poor.fetch(...recordPlaces(undefined, env, undefined))).toMatchObject({
      kind: 'fetched',
      texts: [{ text: '"arm 2"' }],
      left: [{ name: artifactName(AMD, 1), reason: '(404) Not Found: workflow run not found' }],
    })
  },
)

test.concurrent('two steps that hand over the same: the second is told to take an id', async () => {
  await using service = await startArtifactService()
  await using step = await artifactStep(service.env({ runId: 1 }))
  expect(await step.upload(artifactName(AMD, 1), '1')).toMatchObject({ kind: 'uploaded' })
  const clash = await step.upload(artifactName(AMD, 1), '2')
  expect(clash).toMatchObject({ kind: 'failed', why: 'exists' })
  expect(clash.kind === 'failed' && clash.warning).toMatch(
    /^This run has an artifact stage-build\..* an id of its own\.$/,
  )
  expect(await step.upload(artifactName({ ...AMD, id: 'other' }, 1), '3')).toMatchObject({ kind: 'uploaded' })
})

test.concurrent('a workflow_run job reads the run of a fork through the REST API', async () => {
  await using service = await startArtifactService()
  await using leg = await artifactStep(service.env({ runId: 7, job: 'leg' }))
  await leg.upload(artifactName(AMD, 1), '{"from":"fork"}')
  // More than a page of them.
  for (let index = 0; index < 120; index++) {
    await service.plant({ by: { runId: 7 }, name: `other-${index}`, bytes: Buffer.from('x') })
  }
  await leg.upload(artifactName(ARM, 1), '{"from":"page 2"}')
  const run = measuredRun({
    repository: { full_name: REPOSITORY },
    workflow_run: { id: 7, run_attempt: 1, head_sha: 'a'.repeat(40), head_repository: { full_name: 'fork/repo' } },
  })
  const env = service.env({ runId: 8, job: 'report' })
  await using report = await artifactStep(env)
  const got = await report.fetch(...recordPlaces(run, env, service.tokens.actionsRead))
  expect(got.kind === 'fetched' && got.texts.map(({ text }) => text).sort()).toEqual([
    '{"from":"fork"}',
    '{"from":"page 2"}',
  ])
  expect(service.stats().calls).toMatchObject({ list: 0, restList: 2, restZip: 2 })

  expect(await report.fetch(...recordPlaces(run, env, service.tokens.noActions))).toEqual({
    kind: 'failed',
    why: 'denied',
    warning: expect.stringMatching(
      /^What .* could not be fetched: Resource not accessible by integration.*\.$/,
    ) as unknown,
  })
})

test.concurrent('outside of GitHub Actions there are no artifacts', async () => {
  await using step = await artifactStep({})
  expect(await step.upload(artifactName(AMD, 1), '{}')).toEqual({ kind: 'none' })
  expect(await step.fetch('own')).toEqual({ kind: 'none' })
  expect(await step.fetch()).toEqual({ kind: 'none' })
})
