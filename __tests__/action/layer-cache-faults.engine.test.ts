/**
 * Every way in which the cache service and what lies in it may fail, with the real client: the image is right, and the
 * step succeeds with at most one warning in words. Each project meets several faults, one a round, each round on an engine
 * that forgot all. What a fault left is what the next one meets.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { access } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { forgeIndex, forgePack, type IndexJson } from '../support/cache-forgery.ts'
import type { Fault, FaultEffect, FaultRule } from '../support/cache-faults.ts'
import { labStep, MAIN, openLab, type Lab, type LabRun, type LabStep } from '../support/cache-lab.ts'
import type { CacheOperation } from '../support/cache-service.ts'
import { openColdEngine, type ColdEngine } from '../support/cold-engine.ts'
import {
  ALL,
  allUncached,
  built,
  faultProject,
  INPUTS,
  stagesRun,
  type Contents,
  type FaultProject,
} from '../support/fault-project.ts'

/** Makes the next run fail; the fault must have struck where there is one. */
type Begin = (lab: Lab) => Fault | Promise<unknown>

interface FaultCase {
  readonly begin?: Begin
  readonly step?: LabStep
  /** Undefined: nothing to warn of. */
  readonly warns?: RegExp
}

type Round = Readonly<Record<string, FaultCase>>

const MISSING =
  /^Cached layers could not be had when the build needed them \(.{8,200}\): it was run again without them\.$/
const UNREAD = /^The layer cache: it could not be read \(.{8,200}\)\. The build does not depend on it\.$/
const UNSAVED = /^The layer cache: new layers could not be saved(?: \(|: ).{8,200}\. The build does not depend on it\.$/
const unused = (why: string): RegExp =>
  new RegExp(
    `^The layer cache: the index of refs/heads/main is not used: ${why}\\. The build does not depend on it\\.$`,
  )

/** Somewhere that no entry of the cache may write. */
const OUTSIDE = join(tmpdir(), `stage-build-outside-${process.pid}`)

function on(operation: CacheOperation, effect: FaultEffect, more: Partial<FaultRule<CacheOperation>> = {}): Begin {
  return ({ service }) => service.fail({ operation, effect, ...more })
}

function forged(change: (index: IndexJson) => unknown): Begin {
  return async ({ service }) => {
    await forgeIndex(service, change)
  }
}

/** Of all packs of an index. */
function changeBlobs(index: IndexJson, change: (digest: string, size: number) => readonly [string, number]): void {
  for (const pack of Object.values(index.packs)) {
    pack.blobs = Object.fromEntries(Object.entries(pack.blobs).map(([digest, size]) => change(digest, size)))
  }
}

const PACK = { key: '^sb1-pack-' }
const INDEX = { key: '^sb1-index-' }
const BUSY = { kind: 'status', status: 429, retryAfter: 30 } as const
const BROKEN = { kind: 'status', status: 500 } as const

/** A project for each place in a round: the first of them have a cache before the first round, the last two never get one. */
const ROUNDS: readonly Round[] = [
  {
    '429 to every look-up': { begin: on('lookup', BUSY), warns: UNREAD },
    'a reset connection at every download': { begin: on('get', { kind: 'reset' }), warns: UNREAD },
    'a service that goes once the index was read': { begin: on('get', { kind: 'gone' }, PACK), warns: MISSING },
    '500 to the download of a pack': { begin: on('get', BROKEN, PACK), warns: MISSING },
    'an evicted pack': { begin: ({ service }) => service.evict(({ key }) => /pack/.test(key)), warns: MISSING },
    'a flipped byte in a pack': { begin: on('get', { kind: 'flip' }, PACK), warns: MISSING },
    'a truncated pack': { begin: on('get', { kind: 'truncate' }, PACK), warns: MISSING },
    'a token that only reads': {
      step: { token: { ...MAIN, readOnly: true } },
      warns: /: this run may not write it \(the token is read-only\); set `cache: read-only` to say so\./,
    },
    '429 to every new entry': { begin: on('create', BUSY), warns: UNSAVED },
  },
  {
    'no entry': { begin: ({ service }) => service.evictAll() },
    'a flipped byte in an index': {
      begin: on('get', { kind: 'flip' }, INDEX),
      warns: unused('tar ended with exit code \\d+'),
    },
    'an index of a later version': {
      begin: forged((index) => {
        index.version = 2
      }),
      warns: unused('a newer version of stage-build wrote it'),
    },
    'an index whose packs lie outside': {
      begin: forged(({ packs }) => {
        for (const pack of Object.values(packs)) pack.path = `packs/../../../../..${OUTSIDE}`
      }),
      warns: unused('its packs are malformed'),
    },
    'an index with sizes that are not those of the blobs': {
      begin: forged((index) => {
        changeBlobs(index, (digest, size) => [digest, size + 1])
      }),
      warns: MISSING,
    },
    'a pack with other bytes under the digests of its blobs': {
      begin: async ({ service }) => {
        await forgePack(service, (files) =>
          [...files].map(([path, bytes]) => ({ path, body: 'forged'.padEnd(bytes.length, '!') })),
        )
      },
      warns: MISSING,
    },
    'a pack that unpacks to elsewhere': {
      begin: async ({ service }) => {
        await forgePack(service, (files) => {
          const [file = ''] = files.keys()
          const folder = file.slice(0, file.lastIndexOf('/'))
          const up = '../'.repeat(16)
          return [
            { path: `${OUTSIDE}-absolute`, body: 'forged' },
            { path: `${up}${OUTSIDE.slice(1)}-up`, body: 'forged' },
            { path: `${folder}/link`, type: '2', linkPath: tmpdir() },
            { path: `${folder}/link/${basename(OUTSIDE)}-through`, body: 'forged' },
            { path: file, type: '2', linkPath: `${up}etc/passwd` },
          ]
        })
      },
      warns: MISSING,
    },
    'a key that is taken': { begin: on('create', { kind: 'status', status: 409 }), warns: UNSAVED },
    'a service that goes during the upload': { begin: on('put', { kind: 'gone' }), warns: UNSAVED },
  },
]

const PLACES = 9
const WITH_CACHE = 7

interface Result {
  readonly run: LabRun
  /** How often the fault struck; undefined where it is not one of the service. */
  readonly hits: number | undefined
  readonly images: Contents
  readonly reference: Contents | undefined
}

interface Place {
  readonly lab: Lab & AsyncDisposable
  readonly space: FaultProject
}

let engine: ColdEngine
let places: readonly Place[] = []
const results = new Map<string, Result>()
const afterwards: LabRun[] = []

async function step({ lab, space }: Place, options: LabStep = {}): Promise<LabRun> {
  const run = await labStep(lab, space, { inputs: INPUTS, ...options })
  if (run.main.code !== 0) throw new Error(`the step failed:\n${run.log}`)
  return run
}

async function strike(place: Place, name: string, reference: Contents | undefined): Promise<void> {
  const { begin, step: options } = ROUNDS.find((round) => name in round)?.[name] ?? {}
  const fault = await begin?.(place.lab)
  const run = await step(place, options)
  const hits = isFault(fault) ? fault.hits() : undefined
  results.set(name, { run, hits, images: await built(place.space), reference })
  await place.lab.service.heal()
}

beforeAll(async () => {
  engine = await openColdEngine()
  const numbers = Array.from({ length: PLACES }, (_, at) => at)
  places = await Promise.all(numbers.map(async () => ({ lab: await openLab(engine), space: await faultProject() })))
  await Promise.all(places.slice(0, WITH_CACHE).map(async (place) => await step(place)))
  for (const round of ROUNDS) {
    await Promise.all(
      places.map(async ({ space }) => {
        await space.change()
      }),
    )
    const references = await allUncached(places.map(({ space }) => space))
    await engine.chill()
    const names = Object.keys(round)
    // Where several projects begin at once on a new engine BuildKit misses what it was given to import, and no fault strikes.
    for (const [at, place] of places.entries()) await strike(place, names[at] ?? '', references[at])
  }
  await engine.chill()
  for (const place of places) afterwards.push(await step(place))
}, 600_000)

afterAll(async () => {
  for (const { lab, space } of places) {
    await lab[Symbol.asyncDispose]()
    await space[Symbol.asyncDispose]()
  }
  await engine[Symbol.asyncDispose]()
})

function isFault(value: unknown): value is Fault {
  return typeof value === 'object' && value !== null && 'hits' in value
}

describe.each(ROUNDS.map((round, at) => [at + 1, round] as const))('round %d', (_, round) => {
  test.each(Object.entries(round))('%s', async (name, { warns }) => {
    const result = results.get(name)
    if (result === undefined) throw new Error(`${name} was not run`)
    const { run, hits, images, reference } = result
    expect(hits).not.toBe(0)
    expect(run.warnings).toEqual(warns === undefined ? [] : [expect.stringMatching(warns)])
    expect(stagesRun(run)).toEqual(ALL)
    expect(images).toEqual(reference)
    for (const end of ['', '-absolute', '-up', '-through']) await expect(access(`${OUTSIDE}${end}`)).rejects.toThrow()
  })
})

test('afterwards all is as if nothing had been', () => {
  // Of targets that are built together BuildKit may miss the last step, whatever the cache has.
  const ran = afterwards.map((run) => [run.warnings, stagesRun(run).includes('deps')])
  expect(ran).toEqual(places.map((_, at) => [[], at >= WITH_CACHE]))
})
