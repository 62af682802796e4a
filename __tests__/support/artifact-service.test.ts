/** The stand-in of GitHub's artifact service, asked by hand for what the toolkit never sends. */
import { describe, expect, test } from '@jest/globals'
import { startArtifactService, type ArtifactService } from './artifact-service.ts'
import { backendIds, type RunToken } from './artifact-token.ts'

const RUN: RunToken = { runId: 1 }

interface Answered {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

async function call(
  service: ArtifactService,
  method: string,
  body: Readonly<Record<string, unknown>>,
  token = RUN,
  about = token,
): Promise<Answered> {
  const { ACTIONS_RESULTS_URL = '', ACTIONS_RUNTIME_TOKEN = '' } = service.env(token)
  const { run, job } = backendIds(about)
  const response = await fetch(`${ACTIONS_RESULTS_URL}twirp/github.actions.results.api.v1.ArtifactService/${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ACTIONS_RUNTIME_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ workflow_run_backend_id: run, workflow_job_run_backend_id: job, version: 7, ...body }),
  })
  return { status: response.status, body: (await response.json()) as Answered['body'] }
}

async function put(url: unknown, bytes: string): Promise<number> {
  const headers = { 'x-ms-blob-type': 'BlockBlob' }
  return (await fetch(String(url), { method: 'PUT', headers, body: bytes })).status
}

async function uploaded(service: ArtifactService, name: string, bytes: string): Promise<Answered> {
  const { body } = await call(service, 'CreateArtifact', { name })
  expect(await put(body['signed_upload_url'], bytes)).toBe(201)
  return await call(service, 'FinalizeArtifact', { name, size: String(bytes.length), hash: 'sha256:x' })
}

describe('an upload', () => {
  test.each(['', 'a/b', 'a\\b', 'a:b', 'a"b', 'a<b', 'a>b', 'a|b', 'a*b', 'a?b', 'a\rb', 'a\nb', 'x'.repeat(261)])(
    'under %j is refused',
    async (name) => {
      await using service = await startArtifactService()
      expect((await call(service, 'CreateArtifact', { name })).status).toBe(400)
    },
  )

  test('is there once it is finalized with its size, and is never replaced', async () => {
    await using service = await startArtifactService()
    const { body } = await call(service, 'CreateArtifact', { name: 'a' })
    expect((await call(service, 'CreateArtifact', { name: 'a' })).status).toBe(409)
    expect((await call(service, 'ListArtifacts', {})).body).toEqual({ artifacts: [] })
    expect(await put(body['signed_upload_url'], 'four')).toBe(201)
    expect((await call(service, 'FinalizeArtifact', { name: 'a', size: '5' })).status).toBe(400)
    expect((await call(service, 'FinalizeArtifact', { name: 'a', size: '4' })).body).toMatchObject({ ok: true })
    expect((await call(service, 'FinalizeArtifact', { name: 'a', size: '4' })).status).toBe(404)
    expect(await put(body['signed_upload_url'], 'more')).toBe(409)
    expect((await call(service, 'CreateArtifact', { name: 'a' })).status).toBe(409)
  })

  test('can be deleted, and then be made anew', async () => {
    await using service = await startArtifactService()
    await uploaded(service, 'a', 'one')
    expect((await call(service, 'DeleteArtifact', { name: 'a' })).status).toBe(200)
    expect((await call(service, 'DeleteArtifact', { name: 'a' })).status).toBe(404)
    expect((await uploaded(service, 'a', 'two')).status).toBe(200)
  })
})

describe('a token', () => {
  test('is for its run and its job', async () => {
    await using service = await startArtifactService()
    const other: RunToken = { runId: 2 }
    expect((await call(service, 'CreateArtifact', { name: 'a' }, RUN, other)).status).toBe(403)
    expect((await call(service, 'CreateArtifact', { name: 'a' }, RUN, { ...RUN, job: 'x' })).status).toBe(403)
    expect((await call(service, 'ListArtifacts', {}, RUN, other)).status).toBe(403)
    await uploaded(service, 'a', 'one')
    expect((await call(service, 'GetSignedArtifactURL', { name: 'a' }, { ...RUN, job: 'x' })).status).toBe(200)
    expect((await call(service, 'GetSignedArtifactURL', { name: 'a' }, other, RUN)).status).toBe(404)
  })

  test('opens what its attempt uploaded; what others did it only lists', async () => {
    await using service = await startArtifactService()
    await uploaded(service, 'a', 'one')
    const again: RunToken = { runId: 1, attempt: 2 }
    const { body } = await call(service, 'ListArtifacts', {}, again)
    expect(body).toMatchObject({ artifacts: [{ name: 'a', database_id: '1', size: '3', digest: 'sha256:x' }] })
    expect((await call(service, 'ListArtifacts', { id_filter: '2' }, again)).body).toEqual({ artifacts: [] })
    const signed = await call(service, 'GetSignedArtifactURL', { name: 'a' }, again, RUN)
    expect(signed).toMatchObject({ status: 404, body: { msg: 'workflow run not found' } })
  })
})

test('the REST API: pages, and a redirect to the bytes', async () => {
  await using service = await startArtifactService()
  await uploaded(service, 'a', 'one')
  await uploaded(service, 'b', 'two')
  const { GITHUB_API_URL = '' } = service.env(RUN)
  const ask = async (path: string, token = service.tokens.actionsRead): Promise<Response> =>
    await fetch(`${GITHUB_API_URL}/repos/owner/repo/actions/${path}`, { headers: { authorization: `token ${token}` } })
  const listed: unknown = await (await ask('runs/1/artifacts?per_page=1&page=2')).json()
  expect(listed).toMatchObject({ total_count: 2, artifacts: [{ id: 2, name: 'b', size_in_bytes: 3, expired: false }] })
  const download = await ask('artifacts/2/zip')
  expect([download.redirected, download.headers.get('content-disposition'), await download.text()]).toEqual([
    ...[true, 'attachment; filename="b.zip"', 'two'],
  ])
  const statuses = [
    ask('runs/3/artifacts'),
    ask('artifacts/9/zip'),
    ask('artifacts/2/zip', 'none'),
    ask('artifacts/2/zip', service.tokens.noActions),
  ]
  expect((await Promise.all(statuses)).map(({ status }) => status)).toEqual([404, 404, 401, 403])
})
