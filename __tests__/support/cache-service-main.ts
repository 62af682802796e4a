/**
 * The stand-in of GitHub's cache service as a program of its own, so that its work is not its user's:
 * `node __tests__/support/cache-service-main.ts --latency 60 --rate 120000000`. It prints one line of JSON (`Announced`)
 * and ends with SIGTERM, or when its input, if that is a pipe, is closed.
 *
 * Control, at an address of its own that is never slow and never fails: GET `/_control/stats`; POST `/_control/fail`
 * (a `FaultRule`), `/_control/evict` (`{"key": "^regular expression"}`), `/_control/reset`, `/_control/vanish` and
 * `/_control/heal`. Each answers with the stats.
 */
import { fstatSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { parseArgs } from 'node:util'
import { OPERATIONS, startCacheService, type CacheOperation, type CacheService } from './cache-service.ts'
import type { FaultRule } from './cache-faults.ts'

/** What is printed. */
export interface Announced {
  /** ACTIONS_RESULTS_URL, and `url_v2` of `type=gha`. */
  readonly url: string
  /** `http://127.0.0.1:PORT/_control/` */
  readonly control: string
}

if (import.meta.main) await main()

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      latency: { type: 'string', default: '0' },
      rate: { type: 'string', default: '0' },
      port: { type: 'string', default: '0' },
      'uploads-per-minute': { type: 'string', default: '200' },
      'max-bytes': { type: 'string', default: '1e10' },
      'azure-host': { type: 'boolean', default: false },
    },
  })
  await using service = await startCacheService({
    latencyMs: Number(values.latency),
    bytesPerSecond: Number(values.rate),
    port: Number(values.port),
    uploadsPerMinute: Number(values['uploads-per-minute']),
    maxBytes: Number(values['max-bytes']),
    azureHost: values['azure-host'],
  })
  const control = createServer((request, response) => {
    carryOut(service, request).then(
      () => response.setHeader('content-type', 'application/json').end(JSON.stringify(service.stats())),
      (error: unknown) => response.writeHead(400).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve))
  const address = control.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const announced: Announced = { url: service.url, control: `http://127.0.0.1:${port}/_control/` }
  console.log(JSON.stringify(announced))
  await ended()
  control.closeAllConnections()
  control.close()
}

async function carryOut(service: CacheService, request: IncomingMessage): Promise<void> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += String(chunk)
  const given: unknown = body === '' ? {} : JSON.parse(body)
  switch (`${request.method ?? ''} ${request.url ?? ''}`) {
    case 'GET /_control/stats':
      return
    case 'POST /_control/fail':
      service.fail(ruleOf(given))
      return
    case 'POST /_control/evict': {
      const key = new RegExp((given as { readonly key?: string }).key ?? '')
      await service.evict((entry) => key.test(entry.key))
      return
    }
    case 'POST /_control/reset':
      service.reset()
      return
    case 'POST /_control/vanish':
      await service.vanish()
      return
    case 'POST /_control/heal':
      await service.heal()
      return
    default:
      throw new Error(`no such control: ${request.method ?? ''} ${request.url ?? ''}`)
  }
}

/** @throws when it is none: a rule with a typing error would never apply */
function ruleOf(value: unknown): FaultRule<CacheOperation> {
  const { operation, effect } = value as Partial<FaultRule<CacheOperation>>
  const named = operation ?? []
  const operations = typeof named === 'string' ? [named] : named
  if (!operations.every((one) => OPERATIONS.includes(one))) throw new Error(`no such operation: ${operations.join()}`)
  if (effect === undefined) throw new Error('a rule has an effect')
  return { ...(value as Partial<FaultRule<CacheOperation>>), effect }
}

async function ended(): Promise<void> {
  await new Promise<void>((resolve) => {
    const stdin = fstatSync(0)
    const done = (): void => {
      resolve()
    }
    process.once('SIGTERM', done).once('SIGINT', done)
    if (stdin.isFIFO() || stdin.isSocket()) process.stdin.resume().once('close', done)
  })
}
