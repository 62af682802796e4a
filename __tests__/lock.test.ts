import { expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { missingPackages, type LockedPackages } from '../script/lock.ts'

test('package-lock.json has the packages of every platform, so that npm ci accepts it anywhere', async () => {
  const text = await readFile(join(import.meta.dirname, '../package-lock.json'), 'utf8')
  const lock = JSON.parse(text) as { readonly packages: LockedPackages }
  expect(Object.keys(missingPackages(lock.packages))).toEqual([])
})

test('a package that a registry does not have is added with the platform that its name tells', () => {
  const packages = {
    'node_modules/tool': {
      dev: true,
      optionalDependencies: {
        '@tool/linux-arm64-musl': '1.2.3',
        '@tool/darwin-x64': '1.2.3',
        '@tool/linux-x64-gnu': '1.2.3',
      },
    },
    'node_modules/@tool/linux-x64-gnu': { version: '1.2.3' },
  }
  expect(missingPackages(packages)).toEqual({
    'node_modules/@tool/linux-arm64-musl': {
      version: '1.2.3',
      cpu: ['arm64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    },
    'node_modules/@tool/darwin-x64': { version: '1.2.3', cpu: ['x64'], dev: true, optional: true, os: ['darwin'] },
  })
})

test('a missing package that is for no platform is a mistake', () => {
  const packages = { 'node_modules/tool': { optionalDependencies: { fast: '1.2.3' } } }
  expect(() => missingPackages(packages)).toThrow('lacks fast@1.2.3')
})
