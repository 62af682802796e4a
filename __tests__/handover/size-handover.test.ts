/** Records of legs on their whole way to the report job. */
import { expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HandoverOptions } from '../../src/handover/artifacts.ts'
import { gatherSizes, handOverSizes } from '../../src/handover/size-handover.ts'
import { startArtifactService } from '../support/artifact-service.ts'
import { recordOf } from '../support/size-records.ts'

const clientPath = join(import.meta.dirname, '../../src/handover/artifact-client.ts')

async function step(env: Readonly<Record<string, string>>): Promise<AsyncDisposable & { options: HandoverOptions }> {
  const root = await mkdtemp(join(tmpdir(), 'size-handover-'))
  return {
    options: { env: { PATH: process.env['PATH'], ...env }, clientPath, folder: join(root, 'handover') },
    [Symbol.asyncDispose]: async () => {
      await rm(root, { recursive: true, force: true })
    },
  }
}

test('legs hand over, the report job reads the same records, and says which leg is missing', async () => {
  await using service = await startArtifactService()
  const records = [recordOf(), recordOf({ target: 'web' })]
  await using leg = await step(service.env({ runId: 1, job: 'leg' }))
  expect(await handOverSizes(records, 1, leg.options)).toMatchObject({ kind: 'uploaded' })
  const platform = 'linux/amd64'
  const cells = ['prod', 'web', 'lost'].map((target) => ({ target, platform }))
  await using report = await step(service.env({ runId: 1, job: 'report' }))
  const gathered = await gatherSizes(['own'], { expected: { id: 'Dockerfile', cells } }, report.options)
  expect(gathered.records.map(({ record }) => record)).toEqual(records)
  expect(gathered).toMatchObject({
    kind: 'gathered',
    left: [],
    missing: [{ target: 'lost', platform }],
    warnings: ['No sizes were handed over for lost on linux/amd64.'],
  })
})

test('where there are no artifacts, or no service, there is nothing, and no error', async () => {
  await using here = await step({})
  expect(await handOverSizes([recordOf()], 1, here.options)).toEqual({ kind: 'none' })
  expect(await gatherSizes(['own'], {}, here.options)).toMatchObject({ kind: 'none', records: [], warnings: [] })
  await using service = await startArtifactService()
  service.fail({ operation: 'list', effect: { kind: 'forbidden' } })
  await using report = await step(service.env({ runId: 1 }))
  expect(await gatherSizes(['own'], {}, report.options)).toMatchObject({
    kind: 'failed',
    records: [],
    warnings: [expect.stringMatching(/^What .* could not be fetched: \(403\) Forbidden: .*\.$/)],
  })
  expect(await handOverSizes([], 1, report.options)).toMatchObject({
    kind: 'failed',
    warning: expect.any(String) as unknown,
  })
})
