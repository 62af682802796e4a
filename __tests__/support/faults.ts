/** What may go wrong around a build with the layer cache: the faults that `fault-schedule.ts` draws from. */
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheEntry } from './cache-entries.ts'
import type { FaultEffect } from './cache-faults.ts'
import { MAIN } from './cache-lab.ts'
import type { CacheOperation } from './cache-service.ts'
import { download, replace } from './entry-transfer.ts'
import type { FaultLab, Trial } from './fault-lab.ts'
import { plant } from './hostile-entries.ts'
import type { Lots } from './lots.ts'

export type Backend = 'github' | 'directory'

export interface Fault {
  readonly name: string
  /** `any`: of both backends. */
  readonly on: Backend | 'any'
  /** Called before the build. What it lets fail in the lab is healed after it. */
  readonly begin: (lab: FaultLab, lots: Lots, backend: Backend) => Promise<Trial> | Trial
}

const BROKEN: readonly FaultEffect[] = [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 503 },
  { kind: 'status', status: 429, retryAfter: 30 },
  { kind: 'forbidden' },
  { kind: 'reset' },
]
const CALLS: readonly CacheOperation[] = ['lookup', 'create', 'finalize']
const OPERATIONS: readonly CacheOperation[] = [...CALLS, 'put', 'get']

const isRoot = process.getuid?.() === 0

export const FAULTS: readonly Fault[] = [
  { name: 'none', on: 'any', begin: () => ({}) },
  ...entryFaults(),
  ...serviceFaults(),
  ...registryFaults(),
  ...killings(),
  ...directoryFaults(),
  { name: 'two legs at once', on: 'any', begin: () => ({ together: 'legs' }) },
  { name: 'two runs that do the same at once', on: 'any', begin: () => ({ together: 'twins' }) },
  {
    name: 'small disk',
    on: 'any',
    // Only root can mount one.
    begin: (_, lots) => ({ disk: isRoot ? 100_000 + lots.below(2_000_000) : undefined }),
  },
  { name: 'another branch', on: 'any', begin: () => onRef('refs/heads/feature') },
  { name: 'pull request', on: 'any', begin: () => onRef('refs/pull/7/merge') },
  { name: 'no cached content', on: 'any', begin: () => ({ step: { inputs: { 'no-cache': 'true' } } }) },
]

/** Faults of what is stored. */
function entryFaults(): readonly Fault[] {
  const evicted = (what: string, key: RegExp): Fault => ({
    name: `evicted ${what}`,
    on: 'github',
    begin: async ({ service }, lots) => {
      await service.evict((entry) => key.test(entry.key) && lots.below(2) === 0)
      return {}
    },
  })
  const damaged = (name: string, change: (bytes: Buffer) => Buffer): Fault => ({
    name,
    on: 'github',
    begin: async ({ service }, lots) => {
      const entry = newest(service.stats().entries, lots.pick(['sb1-pack-', 'sb1-index-']))
      if (entry !== undefined) await replace(service, entry, change(await download(service, entry)))
      return {}
    },
  })
  const hostile = (what: 'index' | 'pack'): Fault => ({
    name: `hostile ${what}`,
    on: 'github',
    begin: async (lab, lots) => await plant(lab.service, what, lots),
  })
  return [
    evicted('packs', /^sb1-pack-/),
    evicted('indexes', /^sb1-index-/),
    damaged('stored with a wrong bit', flipped),
    damaged('stored by halves', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))),
    hostile('index'),
    hostile('pack'),
  ]
}

function serviceFaults(): readonly Fault[] {
  return [
    service('wrong bit under way', () => ({ operation: 'get', effect: { kind: 'flip' }, times: 1 })),
    service('body that breaks off', (lots) => ({ operation: lots.pick(['get', 'put']), effect: { kind: 'truncate' }, times: 1 })), // prettier-ignore
    service('answer that breaks off', (lots) => ({ operation: lots.pick(CALLS), effect: { kind: 'truncate' }, times: 1 + lots.below(6) })), // prettier-ignore
    service('service that fails at times', (lots) => ({
      operation: lots.pick(OPERATIONS),
      effect: lots.pick(BROKEN),
      nth: 1 + lots.below(2),
      times: 1 + lots.below(3),
      late: lots.below(3) === 0,
    })),
    service('service that fails for good', (lots) => ({ operation: lots.pick(OPERATIONS), effect: lots.pick(BROKEN) })),
    service('service that does not answer', (lots) => ({ operation: lots.pick(OPERATIONS), effect: { kind: 'hang' }, times: 1 })), // prettier-ignore
    service('service that is gone', () => ({ effect: { kind: 'gone' } })),
    service('service that goes half-way', (lots) => ({
      operation: lots.pick(OPERATIONS),
      effect: { kind: 'gone' },
      nth: 1 + lots.below(3),
    })),
    service('key that is taken', () => ({ operation: 'create', effect: { kind: 'status', status: 409 }, times: 1 })),
    { name: 'read-only token', on: 'github', begin: () => ({ step: { token: { ...MAIN, readOnly: true } } }) },
  ]
}

function service(name: string, rule: (lots: Lots) => Parameters<FaultLab['service']['fail']>[0]): Fault {
  return {
    name,
    on: 'github',
    begin: (lab, lots) => {
      lab.service.fail(rule(lots))
      return {}
    },
  }
}

/** Of the base image's registry. */
function registryFaults(): readonly Fault[] {
  const passing: readonly FaultEffect[] = [
    { kind: 'status', status: 429 },
    { kind: 'status', status: 500 },
    { kind: 'reset' },
    { kind: 'truncate' },
  ]
  const proxied: Fault = {
    name: 'base layers that fail when fetched for BuildKit',
    on: 'any',
    begin: ({ base }, lots) => {
      // Where this does not work, BuildKit is not sent there.
      base.fail({ operation: 'probe', effect: { kind: 'status', status: 405 } })
      const effect = lots.pick([...passing, { kind: 'flip' }] as const)
      base.fail({ operation: 'blob', key: ' stage-build', effect, times: 1 + lots.below(3) })
      return {}
    },
  }
  const direct: Fault = {
    name: 'base layers that fail',
    on: 'any',
    begin: ({ base }, lots) => {
      // A wrong bit ends a build without the cache, too.
      base.fail({ operation: 'blob', effect: lots.pick(passing), times: 1 + lots.below(3) })
      return {}
    },
  }
  return [proxied, direct]
}

function killings(): readonly Fault[] {
  const at = (name: string, pattern: RegExp, { isClient = false } = {}): Fault => ({
    name,
    on: 'any',
    begin: (_, lots, backend) => {
      const victims = isClient && backend === 'github' ? 'client' : lots.pick(['step', 'all'] as const)
      const seen = 1 + lots.below(3)
      const when = (log: string): boolean => (log.match(new RegExp(pattern, 'g'))?.length ?? 0) >= seen
      return { step: { env: { RUNNER_DEBUG: '1' } }, kill: { victims, when } }
    },
  })
  return [
    at('killed while it exports', /POST \/v2\/\S*uploads/),
    at('killed while it builds', /^#?.*RUN /m),
    at('client killed', /HEAD \/v2\//, { isClient: true }),
    {
      name: 'killed while it uploads',
      on: 'github',
      begin: (lab, lots) => {
        const operation = lots.pick(['create', 'put', 'finalize'] as const)
        const fault = lab.service.fail({ operation, nth: 1 + lots.below(2), effect: { kind: 'hang' }, late: lots.below(2) === 0 }) // prettier-ignore
        return { kill: { victims: lots.pick(['step', 'all']), when: () => fault.hits() > 0 } }
      },
    },
    {
      name: 'killed at any time',
      on: 'any',
      begin: (_, lots) => {
        let began: number | undefined
        const after = lots.below(5_000)
        const when = (): boolean => performance.now() - (began ??= performance.now()) > after
        return { kill: { victims: lots.pick(['step', 'all']), when } }
      },
    },
  ]
}

function directoryFaults(): readonly Fault[] {
  const damaged = (name: string, change: (path: string) => Promise<void>): Fault => ({
    name,
    on: 'directory',
    begin: async ({ directory }, lots) => {
      const paths = (await files(directory)).toSorted()
      if (paths.length > 0) await change(lots.pick(paths))
      return {}
    },
  })
  return [
    damaged('file with a wrong bit', async (path) => {
      await writeFile(path, flipped(await readFile(path)))
    }),
    damaged('file that is gone', async (path) => { await rm(path) }), // prettier-ignore
    damaged('file cut short', async (path) => { await truncate(path, 10) }), // prettier-ignore
  ]
}

function onRef(ref: string): Trial {
  const isPull = ref.startsWith('refs/pull/')
  const env = isPull ? { GITHUB_EVENT_NAME: 'pull_request', GITHUB_BASE_REF: 'main' } : {}
  return { step: { token: { ref, baseRef: MAIN.ref, defaultRef: MAIN.ref }, env } }
}

function newest(entries: readonly CacheEntry[], prefix: string): CacheEntry | undefined {
  return entries.findLast(({ key }) => key.startsWith(prefix))
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const middle = Math.floor(copy.length / 2)
  copy[middle] = (copy[middle] ?? 0) ^ 0x40
  return copy
}

async function files(directory: string): Promise<readonly string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((one) => one.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}
