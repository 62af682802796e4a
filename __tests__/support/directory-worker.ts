/**
 * One of several processes that use a cache directory at once: `directory-worker.ts DIRECTORY NAME ROUNDS MAX-BYTES`.
 * Saves entries whose files all hold their key, restores others', and fails on any that is not whole.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDirectoryBackend } from '../../src/cache/directory-backend.ts'

const [directory = '', name = '', rounds = '0', maxBytes = '0'] = process.argv.slice(2)
const root = await mkdtemp(join(tmpdir(), 'stage-build-worker-'))
const scopes = { own: 'refs/heads/main', readable: ['refs/heads/main'] }
const cache = openDirectoryBackend({ root, directory, scopes, mayWrite: true, maxBytes: Number(maxBytes) })
const counts = { saved: 0, exists: 0, hit: 0, miss: 0 }
const timeoutMs = 10_000

try {
  for (let round = 0; round < Number(rounds); round++) {
    // Half of the keys are this process's own, for half of them all race.
    const key = round % 2 === 0 ? `pack-${name}-${round}` : `pack-shared-${round}`
    await mkdir(join(root, 'packs/save'), { recursive: true })
    for (const file of ['a', 'b', 'c']) await writeFile(join(root, 'packs/save', file), key.padEnd(2000, '.'))
    const saved = await cache.save({ key, path: 'packs/save', timeoutMs })
    if (saved.kind === 'saved') counts.saved++
    else if (saved.why === 'exists') counts.exists++
    else throw new Error(saved.reason)
    await rm(join(root, 'packs'), { recursive: true })
    const found = await cache.restore({ key: 'pack-none', prefixes: ['pack-'], path: 'packs/found', timeoutMs })
    if (found.kind === 'failed') throw new Error(found.reason)
    counts[found.kind]++
    if (found.kind === 'miss') continue
    const files = await readdir(join(root, 'packs/found'))
    if (files.sort().join() !== 'a,b,c') throw new Error(`${found.key} was restored with ${files.join()}`)
    for (const file of files) {
      const text = await readFile(join(root, 'packs/found', file), 'utf8')
      if (text !== found.key.padEnd(2000, '.')) throw new Error(`${found.key} was restored with other bytes`)
    }
  }
  console.log(JSON.stringify(counts))
} finally {
  await rm(root, { recursive: true })
}
