import { describe, expect, test } from '@jest/globals'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serializeIndex, type CacheIndex } from '../../src/cache/cache-index.ts'
import { indexKeys, newIndexKey, type IndexKeys } from '../../src/cache/cache-keys.ts'
import { INDEX_PATH, indexFile } from '../../src/cache/cache-keys.ts'
import { loadIndexes, type IndexPlace } from '../../src/cache/index-loader.ts'
import { runProcess } from '../../src/process.ts'
import { backendRig, failure, MAIN, saveEntry, type BackendRig } from '../support/backend-rig.ts'
import { chainCache } from '../support/target-caches.ts'

const NOW = Date.UTC(2026, 10, 20, 12)
const PULL = 'refs/pull/7/merge'

function keys(ref: string, targets: readonly string[] = ['app']): IndexKeys {
  return indexKeys({ id: 'shop', scope: '', ref, targets, platforms: [] })
}

function place(source: IndexPlace['source'], ref: string): IndexPlace {
  return { source, ref, ...keys(ref) }
}

function index(ref: string, step = 'step'): CacheIndex {
  const createdAt = '2026-11-20T11:00:00.000Z'
  return {
    ...{ version: 1, createdAt, ref, packs: {}, mounts: {}, records: {} },
    targets: { app: { createdAt, ...chainCache([[step, step, 3]]) } },
  }
}

/** Saves what is to be found under the key as an index would be. */
async function save(
  rig: BackendRig,
  ref: string,
  {
    content,
    at = NOW,
    targets,
    commit,
  }: {
    readonly content: Buffer | string
    readonly at?: number
    readonly targets?: readonly string[]
    readonly commit?: string
  },
): Promise<string> {
  const key = newIndexKey(keys(ref, targets).prefix, { now: at, commit })
  await saveEntry(rig, { key, path: INDEX_PATH }, { [indexFile(key)]: content }, { ref })
  return key
}

describe('an index', () => {
  test('of every branch is found at once, the own one first', async () => {
    await using rig = await backendRig()
    await save(rig, MAIN, { content: serializeIndex(index(MAIN)) })
    await save(rig, PULL, { content: serializeIndex(index(PULL)) })
    const session = await rig.session({ ref: PULL, readable: [PULL, 'refs/heads/next', MAIN] })
    const places = [place('own', PULL), place('base', 'refs/heads/next'), place('default', MAIN)]
    const { found, searches } = await loadIndexes(places, { ...session, now: NOW })
    expect(found.map(({ source, ref, index: read }) => [source, ref, read.ref])).toEqual([
      ['own', PULL, PULL],
      ['default', MAIN, MAIN],
    ])
    expect(searches).toEqual([
      { source: 'own', ref: PULL, outcome: 'found' },
      { source: 'base', ref: 'refs/heads/next', outcome: 'none' },
      { source: 'default', ref: MAIN, outcome: 'found' },
    ])
  })

  test('of the commit that is wanted is taken before a newer one, which is better than none', async () => {
    await using rig = await backendRig()
    const session = await rig.session()
    const [old, tip] = ['1'.repeat(40), '2'.repeat(40)]
    const step = async (...commits: readonly string[]): Promise<readonly string[]> => {
      const { found } = await loadIndexes([{ ...place('own', MAIN), commits }], { ...session, now: NOW })
      return found.flatMap(({ index: read }) => read.targets['app']?.config.records.map(({ digest }) => digest) ?? [])
    }
    const records = (name: string): readonly string[] =>
      index(MAIN, name).targets['app']?.config.records.map(({ digest }) => digest) ?? []
    await save(rig, MAIN, { content: serializeIndex(index(MAIN, 'old')), commit: old })
    await save(rig, MAIN, { content: serializeIndex(index(MAIN, 'tip')), commit: tip, at: NOW + 1 })
    expect(await step(old)).toEqual(records('old'))
    expect(await step('3'.repeat(40))).toEqual(records('tip'))
    expect(await step('3'.repeat(40), old)).toEqual(records('old'))
    expect(await step()).toEqual(records('tip'))
  })

  test('of the same targets is taken before a newer one of others, and of those the newest', async () => {
    await using rig = await backendRig()
    const session = await rig.session()
    const load = async (): Promise<readonly string[]> => {
      const { found } = await loadIndexes([place('own', MAIN)], { ...session, now: NOW })
      return found.flatMap(({ index: read }) => read.targets['app']?.config.records.map(({ digest }) => digest) ?? [])
    }
    const records = (step: string): readonly string[] =>
      index(MAIN, step).targets['app']?.config.records.map(({ digest }) => digest) ?? []
    expect(await load()).toEqual([])
    await save(rig, MAIN, { content: serializeIndex(index(MAIN, 'other')), targets: ['other'] })
    expect(await load()).toEqual(records('other'))
    await save(rig, MAIN, { content: serializeIndex(index(MAIN, 'old')), at: NOW - 9_000 })
    expect(await load()).toEqual(records('old'))
    await save(rig, MAIN, { content: serializeIndex(index(MAIN, 'new')), at: NOW - 8_000 })
    await save(rig, MAIN, { content: serializeIndex(index(MAIN, 'other')), targets: ['other'], at: NOW + 1_000 })
    expect(await load()).toEqual(records('new'))
  })

  test.each<[string, string | Buffer, string]>([
    ['no JSON', '{', 'it is no JSON'],
    ['cut off', serializeIndex(index(MAIN)).subarray(0, -9), 'it is no JSON'],
    ['empty', '', 'it is no JSON'],
    ['of a later version', '{"version":2}', 'a newer version of stage-build wrote it'],
    ['of another form', '{"version":1}', 'its head is malformed'],
    ['huge', Buffer.alloc((64 << 20) + 1), 'it is too large'],
  ])('that is %s is as good as none, and it is told', async (_, content, reason) => {
    await using rig = await backendRig()
    await save(rig, MAIN, { content })
    const { found, searches } = await loadIndexes([place('own', MAIN)], { ...(await rig.session()), now: NOW })
    expect({ found, searches }).toEqual({
      found: [],
      searches: [{ source: 'own', ref: MAIN, outcome: 'unusable', reason }],
    })
  })

  test.each<[string, (file: string) => Promise<unknown>, string]>([
    ['a link elsewhere', (file) => symlink('/etc/passwd', file), 'ELOOP'],
    ['a pipe that nobody writes to', (file) => runProcess('mkfifo', [file]), 'it is no file'],
    ['a device without an end', (file) => symlink('/dev/zero', file), 'ELOOP'],
    ['a directory', (file) => mkdir(file), 'it is no file'],
    ['a file of another name', (file) => writeFile(`${file}x`, serializeIndex(index(MAIN))), 'ENOENT'],
  ])('that is %s is not read', async (_, forge, reason) => {
    await using rig = await backendRig()
    const key = await save(rig, MAIN, { content: serializeIndex(index(MAIN)) })
    const session = await rig.session({
      onRestored: async (directory) => {
        await rm(join(directory, indexFile(key)))
        await forge(join(directory, indexFile(key)))
      },
    })
    const { found, searches } = await loadIndexes([place('own', MAIN)], { ...session, now: NOW })
    expect(found).toEqual([])
    expect(searches).toMatchObject([{ source: 'own', ref: MAIN, outcome: 'unusable' }])
    expect(searches[0]?.reason).toContain(reason)
  })

  test('that the backend cannot give does not keep the others away', async () => {
    await using rig = await backendRig()
    await save(rig, MAIN, { content: serializeIndex(index(MAIN)) })
    const session = await rig.session({
      ...{ ref: PULL, readable: [PULL, MAIN] },
      fails: (_, { key }) => (key.startsWith(keys(PULL).prefix) ? failure() : undefined),
    })
    const { found, searches } = await loadIndexes([place('own', PULL), place('base', MAIN)], { ...session, now: NOW })
    expect(found.map(({ ref }) => ref)).toEqual([MAIN])
    expect(searches[0]).toEqual({ source: 'own', ref: PULL, outcome: 'failed', reason: 'made to fail (other)' })
    expect(session.calls).toHaveLength(2)
  })
})

test('the file of an index has a harmless name of its own', () => {
  expect(indexFile('../../etc')).toMatch(/^[0-9a-f]{32}\.json$/)
  expect(indexFile('a')).not.toBe(indexFile('b'))
})
