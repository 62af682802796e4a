import { describe, expect, test } from '@jest/globals'
import { imageFiles } from '../../src/measure/image-files.ts'
import { MAX_PACKAGES } from '../../src/measure/packages.ts'
import { file, filesOf, folder, hardLink, indexOf, symlink } from '../support/layers.ts'
import { rawTar, type RawEntry } from '../support/raw-tar.ts'

async function packages(layers: readonly (readonly RawEntry[])[], inherited = 0): Promise<readonly string[]> {
  const { packages: found } = await filesOf(layers, inherited)
  return (found ?? []).map(({ manager, name, version, bytes }) => `${manager} ${name} ${version} ${bytes}`)
}

const APK = [
  ...['C:Q1abc=', 'P:busybox', 'V:1.37.0-r18', 'A:x86_64', 'S:509600', 'F:bin', 'R:busybox', 'a:0:0:755', 'Z:Q1abc='],
  ...['F:etc', 'R:securetty', 'F:', 'R:top', ''],
  ...['P:git', 'V:2.49.1-r0', 'F:usr/bin', 'R:git', 'R:git-shell', '', ''],
].join('\n')

describe('apk', () => {
  test('packages weigh what the files they own weigh in own layers', async () => {
    const base = [file('bin/busybox', 800), file('etc/securetty', 10), file('lib/apk/db/installed', 'P:busybox\nV:1\n')]
    const own = [
      file('usr/bin/git', 3_000),
      hardLink('usr/bin/git-shell', 'usr/bin/git'),
      file('lib/apk/db/installed', APK),
    ]
    expect(await packages([base, own], 1)).toEqual(['apk git 2.49.1-r0 3000'])
    expect(await packages([base, own])).toEqual(['apk git 2.49.1-r0 3000', 'apk busybox 1.37.0-r18 810'])
  })

  test('files that are overwritten or removed later count no more, wherever the database lies', async () => {
    const first = [
      file('usr/bin/git', 3_000),
      file('etc/securetty', 10),
      file('top', 1),
      file('lib/apk/db/installed', APK),
    ]
    const second = [file('usr/bin/git', 5_000), file('etc/.wh.securetty', 0)]
    expect(await packages([first, second])).toEqual(['apk git 2.49.1-r0 5000', 'apk busybox 1.37.0-r18 1'])
    expect(await packages([first, [file('lib/apk/db/.wh.installed', 0)]])).toEqual([])
  })

  test('the database may lie in usr, and its paths too', async () => {
    const layer = [folder('usr'), symlink('bin', 'usr/bin'), symlink('lib', 'usr/lib'), file('usr/bin/busybox', 800)]
    expect(await packages([[...layer, file('usr/lib/apk/db/installed', APK)]])).toEqual(['apk busybox 1.37.0-r18 800'])
  })
})

const STATUS = `Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10
Description: GNU C Library
 Package: not one
Conffiles:
 /etc/ld.so.conf 0d3eb4326036f55de4f7d5a5ffd8ef32

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: curl
Status: install ok installed
Architecture: amd64
Version: 7.88.1-10+deb12u12
`

describe('dpkg', () => {
  const own = [
    file('var/lib/dpkg/status', STATUS),
    file('var/lib/dpkg/info/libc6:amd64.list', '/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n'),
    file('var/lib/dpkg/info/curl.list', '/.\n/usr\n/usr/bin\n/usr/bin/curl\n'),
    file('var/lib/dpkg/info/removed.list', '/etc/removed\n'),
  ]

  test('lists of files, also of a merged /usr', async () => {
    const files = [
      file('usr/lib/x86_64-linux-gnu/libc.so.6', 1_900),
      file('usr/bin/curl', 250),
      file('etc/removed', 99),
    ]
    expect(await packages([own, files])).toEqual([
      'dpkg libc6 2.36-9+deb12u10 1900',
      'dpkg curl 7.88.1-10+deb12u12 250',
    ])
  })

  test('what came with the base weighs nothing', async () => {
    const base = [file('lib/x86_64-linux-gnu/libc.so.6', 1_900), ...own]
    expect(await packages([base, [file('usr/bin/curl', 250), ...own]], 1)).toEqual(['dpkg curl 7.88.1-10+deb12u12 250'])
  })

  test('a file for each package, as in distroless images', async () => {
    const layer = [
      file('var/lib/dpkg/status.d/tzdata', 'Package: tzdata\nVersion: 2025b-0+deb12u1\nArchitecture: all\n'),
      file('var/lib/dpkg/status.d/tzdata.md5sums', `${'a'.repeat(32)}  usr/share/zoneinfo/UTC\nnoise\n`),
      file('usr/share/zoneinfo/UTC', 114),
    ]
    expect(await packages([layer])).toEqual(['dpkg tzdata 2025b-0+deb12u1 114'])
  })
})

describe('npm', () => {
  const manifest = (name: string, version: string): string => JSON.stringify({ name, version })

  test('files belong to the nearest package; versions stand apart', async () => {
    const [a, b, scoped] = [manifest('a', '1.0.0'), manifest('b', '2.0.0'), manifest('@s/c', '3.0.0')]
    const old = manifest('b', '1.0.0')
    const layer = [
      file('app/package.json', manifest('app', '0.0.1')),
      file('app/index.js', 7),
      file('app/node_modules/.package-lock.json', 1_000),
      file('app/node_modules/a/package.json', a),
      file('app/node_modules/a/lib/package.json', '{"type":"module"}'),
      file('app/node_modules/a/lib/x.js', 100),
      file('app/node_modules/a/node_modules/b/package.json', old),
      file('app/node_modules/a/node_modules/b/x.js', 20),
      file('app/node_modules/b/package.json', b),
      file('app/node_modules/@s/c/package.json', scoped),
      file('app/node_modules/@s/c/dist/x.js', 5),
      file('app/node_modules/unnamed/x.js', 9_999),
    ]
    expect(await packages([layer])).toEqual([
      `npm a 1.0.0 ${a.length + '{"type":"module"}'.length + 100}`,
      `npm b 1.0.0 ${old.length + 20}`,
      `npm @s/c 3.0.0 ${scoped.length + 5}`,
      `npm b 2.0.0 ${b.length}`,
    ])
  })

  test('the same version at two places is one package', async () => {
    const a = manifest('a', '1.0.0')
    const layer = [file('x/node_modules/a/package.json', a), file('y/node_modules/a/package.json', a)]
    expect(await packages([layer])).toEqual([`npm a 1.0.0 ${2 * a.length}`])
  })

  test('what apk owns is not npm’s as well', async () => {
    const db = 'P:npm\nV:11.3.0-r1\nF:usr/lib/node_modules/npm\nR:package.json\n'
    const layer = [
      file('usr/lib/node_modules/npm/package.json', manifest('npm', '11.3.0')),
      file('lib/apk/db/installed', db),
    ]
    expect(await packages([layer])).toEqual([`apk npm 11.3.0-r1 ${manifest('npm', '11.3.0').length}`])
  })

  test('a package.json of a layer that is not known leaves its files to nobody', async () => {
    const own = (await indexOf(rawTar([file('node_modules/a/x.js', 5)]))).index
    expect(
      imageFiles([
        { own: false, index: undefined },
        { own: true, index: own },
      ]).packages,
    ).toEqual([])
  })

  test.each<[string, string]>([
    ['no JSON', '{'],
    ['no object', '"a"'],
    ['null', 'null'],
    ['no name', '{"version":"1"}'],
    ['a version that is a number', '{"name":"a","version":1}'],
    ['a name of many characters', manifest('a'.repeat(60_000), '1')],
    ['a name that ends a line', manifest('a\n::set-output', '1')],
    ['more than is read', `${manifest('a', '1')}${' '.repeat(70_000)}`],
  ])('%s is no package', async (_name, text) => {
    expect(await packages([[file('node_modules/a/package.json', text)]])).toEqual([])
  })

  test('names that mean something to JavaScript are names', async () => {
    const layer = ['__proto__', 'constructor', 'toString'].map((name) =>
      file(`node_modules/${name}/package.json`, manifest(name, '1')),
    )
    expect(await packages([layer])).toHaveLength(3)
  })

  test('the largest are told', async () => {
    const layer = Array.from({ length: MAX_PACKAGES + 100 }, (_, i) => [
      file(`node_modules/p${i}/package.json`, manifest(`p${i}`, '1')),
      file(`node_modules/p${i}/x`, 1_000 + i),
    ]).flat()
    const told = await packages([layer])
    expect(told).toHaveLength(MAX_PACKAGES)
    expect(told[0]).toContain(`p${MAX_PACKAGES + 99} `)
    expect(told.at(-1)).toContain('p100 ')
  })
})

test.each<[string, string]>([
  ['lib/apk/db/installed', 'P:\nV:\nR:x\n\n\n\nF\nR\nP:a b\nV:1\n\0\u{1f600}'],
  ['var/lib/dpkg/status', 'Package:\nVersion\n\n: \nPackage: a\n\n\n'],
  ['var/lib/dpkg/status.d/x', '\0\0\0'],
])('garbage in %s is no package', async (path, text) => {
  expect(await packages([[file(path, text), file('x', 5)]])).toEqual([])
})
