/** The helper on the engine: what it puts in comes out as it was, by whichever way archives go. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { chmod, chown, link, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MountHelper, removeHelperRecords } from '../src/mount-helper.ts'
import { readMountList } from '../src/mounts/mount-list.ts'
import { findProgram, runProcess } from '../src/process.ts'

let folder: string
let archive: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stage-build-helper-'))
  const content = join(folder, 'content')
  await mkdir(join(content, 'deep/empty'), { recursive: true })
  await writeFile(join(content, 'deep/large'), randomBytes(3_000_000))
  await chown(join(content, 'deep/large'), 1000, 1001)
  await chmod(join(content, 'deep/large'), 0o4750)
  await utimes(join(content, 'deep/large'), 1_700_000_000, 1_600_000_000)
  await writeFile(join(content, 'one'), 'one')
  await link(join(content, 'one'), join(content, 'same as one'))
  await symlink('../one', join(content, 'deep/link'))
  archive = join(folder, 'in.tar')
  const packed = await runProcess('tar', ['--format=pax', '-C', content, '-cf', archive, '.'])
  expect(packed.code).toBe(0)
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Every entry but the mount itself, whose time changes. */
async function entries(path: string): Promise<readonly string[]> {
  const { stdout } = await runProcess('tar', ['--numeric-owner', '--full-time', '-tvf', path])
  return stdout.trim().split('\n').filter((line) => !line.endsWith(' ./')).sort() // prettier-ignore
}

/** A PATH with nothing on it but these programs, and a `docker` of our own. */
async function pathWith(programs: readonly string[], docker: string | undefined): Promise<string> {
  const bin = await mkdtemp(join(folder, 'bin-'))
  for (const name of programs) {
    await symlink(findProgram(name, process.env['PATH'] ?? '') ?? '', join(bin, name))
  }
  if (docker !== undefined) await writeFile(join(bin, 'docker'), docker, { mode: 0o755 })
  return bin
}

/** Docker without the entitlement, as on a builder that does not grant it. */
async function refusing(): Promise<string> {
  const docker = findProgram('docker', process.env['PATH'] ?? '')
  const bin = await pathWith(
    [],
    `#!/bin/bash\nkept=()\nfor word in "$@"; do [ "$word" = --allow ] || [ "$word" = network.host ] || kept+=("$word"); done\nexec '${docker ?? ''}' "\${kept[@]}"\n`,
  )
  return `${bin}:${process.env['PATH'] ?? ''}`
}

describe.each([
  ['through a line', true, () => Promise.resolve(process.env['PATH'] ?? '')],
  ['without bash', false, async () => await pathWith(['docker', 'tar', 'find', 'rm', 'sleep', 'ldd'], undefined)],
  ['where the host’s network is refused', false, refusing],
])('an archive that goes in and out %s', (_, hasLine, pathOf) => {
  test('is the same, unless it is too large', async () => {
    const tokens: string[] = []
    const docker = { env: { ...process.env, PATH: await pathOf() } }
    const helper = new MountHelper({
      ...{ docker, builder: undefined, namespace: '', tempRoot: folder, signal: new AbortController().signal },
      onRun: (token) => tokens.push(token),
    })
    const ids = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')]
    const mounts = ids.map((id, index) => ({
      ...{ mount: { key: '', id, permissions: undefined, steps: [], isWritten: true }, name: String(index) },
      ...{ usedSince: 0, madeSince: 0 },
    }))
    const { size } = await stat(archive)
    await helper.putIn(mounts.map((mount) => ({ ...mount, path: archive, bytes: size })))
    const to = await mkdtemp(join(folder, 'to-'))
    const out = await helper.takeOut(mounts, { maxBytes: 10_000_000, folder: to })
    for (const { name } of mounts) {
      expect(await entries(join(out, `${name}.tar`))).toEqual(await entries(archive))
      expect(await readMountList(join(out, `${name}.list`))).toMatchObject({ files: 4, bytes: 3_000_006 })
    }
    expect((await readFile(join(to, 'take-out.sh'), 'utf8')).includes('/dev/tcp')).toBe(hasLine)
    const small = await helper.takeOut(mounts.slice(0, 1), { maxBytes: 1_000_000, folder: join(to, 'small') })
    expect((await readMountList(join(small, '0.list'))).files).toBe(4)
    await expect(stat(join(small, '0.tar'))).rejects.toThrow('ENOENT')
    await removeHelperRecords(docker, undefined, tokens[0] ?? '')
  }, 120_000)
})

test('an archive that tar cannot read fails the helper, with what tar said', async () => {
  const path = join(folder, 'broken.tar')
  await writeFile(path, (await readFile(archive)).subarray(0, 1_000_000))
  const helper = new MountHelper({
    ...{ docker: { env: process.env }, builder: undefined, namespace: '', tempRoot: folder },
    ...{ signal: new AbortController().signal, onRun: () => undefined },
  })
  const mount = { key: '', id: randomBytes(8).toString('hex'), permissions: undefined, steps: [], isWritten: true }
  await expect(helper.putIn([{ mount, name: '0', path, bytes: 1_000_000 }])).rejects.toThrow(
    /^(?:\S+ )?tar: .*(?:EOF|not recoverable)/,
  )
}, 60_000)
