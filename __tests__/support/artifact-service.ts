/**
 * GitHub's artifact service on loopback, as `@actions/artifact` speaks to it: Twirp calls and Azure's blob storage with a
 * runner's token, and the REST API for runs of the repository with a user's. Names have GitHub's rules; an artifact that
 * is there cannot be replaced; a run sees its own artifacts, and an attempt opens only those of its own. It can fail on demand.
 * https://github.com/actions/toolkit/blob/main/packages/artifact/src/internal
 * https://docs.github.com/en/rest/actions/artifacts
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ArtifactStore, type PlantedArtifact, type StoredArtifact } from './artifact-store.ts'
import { backendIdsOf, runtimeToken, type RunToken } from './artifact-token.ts'
import { Blobs, refuse } from './cache-blobs.ts'
import { breakOff, FaultBook, type Fault, type FaultEffect, type FaultRule } from './cache-faults.ts'
import { Throttle } from './throttle.ts'
import { failureOf, listen, ok, readJson, retryAfter, sendAnswer, text, twirpError, type Answer } from './twirp.ts'

const OPERATIONS = ['create', 'finalize', 'list', 'sign', 'delete', 'put', 'get', 'restList', 'restZip'] as const
export type ArtifactOperation = (typeof OPERATIONS)[number]

export interface ArtifactServiceStats {
  readonly calls: Readonly<Record<ArtifactOperation, number>>
  /** Bytes of blobs. */
  readonly bytesUp: number
  readonly bytesDown: number
  readonly artifacts: readonly StoredArtifact[]
}

export interface ArtifactService extends AsyncDisposable {
  /** What a step of an action finds in its environment. */
  env(token: RunToken): Readonly<Record<string, string>>
  /** A token for the REST API of `owner/repo`; it may read Actions or not. */
  readonly tokens: { readonly actionsRead: string; readonly noActions: string }
  stats(): ArtifactServiceStats
  fail(rule: FaultRule<ArtifactOperation>): Fault
  /** Puts an artifact there that no honest client uploads. @returns its id */
  plant(artifact: PlantedArtifact): Promise<number>
}

export const REPOSITORY = 'owner/repo'

const METHODS: Readonly<Record<string, ArtifactOperation>> = {
  CreateArtifact: 'create',
  FinalizeArtifact: 'finalize',
  ListArtifacts: 'list',
  GetSignedArtifactURL: 'sign',
  DeleteArtifact: 'delete',
}
const TWIRP = '/twirp/github.actions.results.api.v1.ArtifactService/'
const API = '/api/v3'
const CONTAINER = 'actions-results'

/** Starts it on a free port; its files are in a temporary folder, which goes with it. */
export async function startArtifactService(
  options: { readonly bytesPerSecond?: number } = {},
): Promise<ArtifactService> {
  const server = createServer()
  server.requestTimeout = 0
  const port = await listen(server, 0)
  const folder = await mkdtemp(join(tmpdir(), 'artifact-service-'))
  return new Service(server, `http://127.0.0.1:${port}`, folder, options.bytesPerSecond ?? 0)
}

class Service implements ArtifactService {
  readonly tokens = { actionsRead: `ghs_${randomUUID()}`, noActions: `ghs_${randomUUID()}` }
  readonly #server: Server
  readonly #origin: string
  readonly #folder: string
  readonly #store: ArtifactStore
  readonly #blobs: Blobs
  readonly #faults = new FaultBook<ArtifactOperation>()
  readonly #calls = Object.fromEntries(OPERATIONS.map((name) => [name, 0])) as Record<ArtifactOperation, number>
  readonly #bytes = { up: 0, down: 0 }

  constructor(server: Server, origin: string, folder: string, bytesPerSecond: number) {
    this.#server = server
    this.#origin = origin
    this.#folder = folder
    this.#store = new ArtifactStore(folder)
    this.#blobs = new Blobs({
      entries: this.#store,
      container: CONTAINER,
      headersOf: (id) => this.#store.headersOf(id),
      ...{ folder, origin, secret: randomUUID() },
      up: new Throttle(bytesPerSecond),
      down: new Throttle(bytesPerSecond),
      count: (direction, bytes) => (this.#bytes[direction] += bytes),
    })
    server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
    await rm(this.#folder, { recursive: true, force: true })
  }

  env(token: RunToken): Readonly<Record<string, string>> {
    this.#store.openRun(token)
    return {
      ACTIONS_RESULTS_URL: `${this.#origin}/`,
      ACTIONS_RUNTIME_TOKEN: runtimeToken(token),
      GITHUB_API_URL: `${this.#origin}${API}`,
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_RUN_ATTEMPT: String(token.attempt ?? 1),
      GITHUB_RUN_ID: String(token.runId),
    }
  }

  stats(): ArtifactServiceStats {
    const { up, down } = this.#bytes
    return { calls: { ...this.#calls }, bytesUp: up, bytesDown: down, artifacts: this.#store.list() }
  }

  fail(rule: FaultRule<ArtifactOperation>): Fault {
    return this.#faults.add(rule)
  }

  async plant(artifact: PlantedArtifact): Promise<number> {
    return await this.#store.plant(artifact)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.#origin)
    if (url.pathname.startsWith(TWIRP)) await this.#twirp(url.pathname.slice(TWIRP.length), request, response)
    else if (url.pathname.startsWith(`${API}/`)) await this.#rest(url, request, response)
    else await this.#blob(url, request, response)
  }

  async #twirp(method: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request)
    const operation = METHODS[method]
    if (operation === undefined || request.method !== 'POST') {
      await sendAnswer(response, twirpError(404, 'bad_route', `no handler for ${method}`))
      return
    }
    await this.#withFaults(operation, text(body['name']), response, () => {
      const ids = backendIdsOf(request.headers.authorization)
      if (ids === undefined) return twirpError(401, 'unauthenticated', 'the token is not valid')
      const [run, job] = [text(body['workflow_run_backend_id']), text(body['workflow_job_run_backend_id'])]
      // A token opens no other run; of the run that asks, not another job may be named as the uploader.
      const isOwn = run === ids.run && (operation === 'sign' || job === ids.job)
      if (!isOwn && operation === 'sign') return twirpError(404, 'not_found', 'workflow run not found')
      if (!isOwn) return twirpError(403, 'permission_denied', 'the token is of another run or job')
      return this.#answer(operation, run, job, body)
    })
  }

  #answer(operation: ArtifactOperation, run: string, job: string, body: Readonly<Record<string, unknown>>): Answer {
    const name = text(body['name'])
    switch (operation) {
      case 'create':
        return this.#create(run, job, body)
      case 'finalize': {
        const id = this.#store.finalize(run, name, Number(body['size']), text(body['hash']))
        if (id === 'unknown') return twirpError(404, 'not_found', 'no such upload')
        if (id === 'size') return twirpError(400, 'invalid_argument', 'the size is not that of what was uploaded')
        return ok({ ok: true, artifact_id: String(id) })
      }
      case 'list':
        return ok({ artifacts: this.#store.visible(run, text(body['name_filter']), text(body['id_filter'])) })
      case 'sign': {
        const found = this.#store.find(run, name)
        if (found === undefined) return twirpError(404, 'not_found', 'artifact not found')
        return ok({ name, signed_url: this.#blobs.link(found.id, 'r') })
      }
      case 'delete': {
        const id = this.#store.remove(run, name)
        return id === undefined
          ? twirpError(404, 'not_found', 'artifact not found')
          : ok({ ok: true, artifact_id: String(id) })
      }
      case 'put':
      case 'get':
      case 'restList':
      case 'restZip':
        return twirpError(404, 'bad_route', 'no Twirp call')
    }
  }

  #create(run: string, job: string, body: Readonly<Record<string, unknown>>): Answer {
    const name = text(body['name'])
    // The names that the client refuses, too: https://github.com/actions/toolkit/blob/main/packages/artifact/docs/additional-information.md
    if (name === '' || name.length > 260 || /["<>|*?:\r\n\\/]/.test(name)) {
      return twirpError(400, 'invalid_argument', 'the artifact name is not valid')
    }
    if (![4, 7].includes(Number(body['version']))) return twirpError(400, 'invalid_argument', 'unknown version')
    const id = this.#store.create({ run, job, name, mimeType: text(body['mime_type']) || 'application/zip' })
    if (id === undefined) {
      const msg = 'an artifact with this name already exists on the workflow run'
      return twirpError(409, 'already_exists', msg)
    }
    return ok({ ok: true, signed_upload_url: this.#blobs.link(id, 'w') })
  }

  async #rest(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const path = url.pathname.slice(API.length)
    const [, runId] = new RegExp(`^/repos/${REPOSITORY}/actions/runs/(\\d+)/artifacts$`).exec(path) ?? []
    const [, id] = new RegExp(`^/repos/${REPOSITORY}/actions/artifacts/(\\d+)/zip$`).exec(path) ?? []
    const operation = runId === undefined ? 'restZip' : 'restList'
    const found = this.#store.byNumber(Number(id))
    await this.#withFaults(operation, found?.name ?? '', response, () => {
      const [, token] = /^(?:token|Bearer) (.*)$/i.exec(request.headers.authorization ?? '') ?? []
      if (token === this.tokens.noActions) return refusal(403, 'Resource not accessible by integration')
      if (token !== this.tokens.actionsRead) return refusal(401, 'Bad credentials')
      if (runId !== undefined) return this.#restList(Number(runId), url.searchParams)
      if (found === undefined) return refusal(404, 'Not Found')
      if (found.expired) return refusal(410, 'Artifact has expired')
      return { status: 302, body: {}, headers: { location: this.#blobs.link(found.id, 'r') } }
    })
  }

  #restList(runId: number, query: URLSearchParams): Answer {
    const all = this.#store.ofRun(runId, query.get('name') ?? '')
    if (all === undefined) return refusal(404, 'Not Found')
    const size = Math.min(Number(query.get('per_page') ?? 30), 100)
    const page = Number(query.get('page') ?? 1)
    const base = `${this.#origin}${API}/repos/${REPOSITORY}/actions/artifacts`
    const artifacts = all.slice((page - 1) * size, page * size).map((artifact) => ({
      id: artifact.id,
      node_id: `A_${artifact.id}`,
      name: artifact.name,
      size_in_bytes: artifact.size,
      url: `${base}/${artifact.id}`,
      archive_download_url: `${base}/${artifact.id}/zip`,
      expired: artifact.expired,
      digest: artifact.digest === '' ? null : artifact.digest,
      created_at: new Date(artifact.createdAt).toISOString(),
      workflow_run: { id: runId },
    }))
    return ok({ total_count: all.length, artifacts })
  }

  async #blob(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = ({ PUT: 'put', GET: 'get' } as const)[request.method ?? '']
    if (operation === undefined) {
      refuse(request, response, 405, 'UnsupportedHttpVerb')
      return
    }
    this.#calls[operation]++
    const rule = this.#faults.next(operation, this.#blobs.keyOf(url))
    if (rule?.late !== true && (await breakOff(rule?.effect, response))) return
    const effect = rule?.effect
    if (effect?.kind === 'status' || effect?.kind === 'forbidden') {
      const isBusy = effect.kind === 'status'
      const [status, code] = isBusy ? [effect.status, 'ServerBusy'] : [403, 'AuthorizationFailure']
      refuse(request, response, status, code, isBusy ? retryAfter(effect.retryAfter) : {})
      return
    }
    await this.#blobs.serve(url, request, response, effect)
  }

  /** Answers as asked to, or in the way that a rule has it. */
  async #withFaults(
    operation: ArtifactOperation,
    name: string,
    response: ServerResponse,
    answer: () => Answer,
  ): Promise<void> {
    this.#calls[operation]++
    const rule = this.#faults.next(operation, name)
    const effect: FaultEffect | undefined = rule?.effect
    const failure = failureOf(rule)
    if (rule?.late !== true && (await breakOff(effect, response))) return
    if (failure !== undefined && rule?.late !== true) {
      await sendAnswer(response, failure)
      return
    }
    const given = answer()
    if (await breakOff(effect, response)) return
    await sendAnswer(response, failure ?? given, effect)
  }
}

/** As the REST API says it. */
function refusal(status: number, message: string): Answer {
  return { status, body: { message, documentation_url: 'https://docs.github.com/rest' } }
}
