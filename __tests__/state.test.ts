import { expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAnythingLeft } from '../src/state.ts'

test('the post step has something to do where the main step named it, and its folder is still there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stage-build-state-'))
  try {
    expect(isAnythingLeft({})).toBe(false)
    expect(isAnythingLeft({ 'STATE_is-post': 'true', STATE_builder: '', STATE_cache: '', STATE_mounts: '' })).toBe(
      false,
    )
    expect(isAnythingLeft({ STATE_cache: join(folder, 'gone') })).toBe(false)
    expect(isAnythingLeft({ STATE_cache: folder })).toBe(true)
    expect(isAnythingLeft({ STATE_builder: 'stage-build-1' })).toBe(true)
    expect(isAnythingLeft({ STATE_mounts: 'token' })).toBe(true)
  } finally {
    await rm(folder, { recursive: true })
  }
})
