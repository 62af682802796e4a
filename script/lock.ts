/**
 * Completes `package-lock.json` with the packages for other platforms (`@swc/core-darwin-arm64` and its kin) that the
 * registry at hand does not have: npm leaves them out of the lock then, and `npm ci` refuses such a lock everywhere.
 * Their versions are known from the packages that ask for them; npm skips them for their platform and never fetches
 * them. `--write` completes the lock, `--check` says what is missing.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly peer?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export type LockedPackages = Readonly<Record<string, LockedPackage>>

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/**
 * The entries that a lock lacks, by path.
 * @throws Error when a missing package is not pinned or its name tells no platform: then it is not one of these.
 */
export function missingPackages(packages: LockedPackages): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {}
  for (const parent of Object.values(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`
      if (Object.keys(packages).some((key) => key.endsWith(path))) continue
      const words = name.split(/[/-]/)
      const os = words.filter((word) => SYSTEMS.includes(word))
      const cpu = words.filter((word) => PROCESSORS.includes(word))
      if (!/^\d+\.\d+\.\d+/.test(version) || cpu.length === 0) {
        throw new Error(`package-lock.json lacks ${name}@${version}, which is for no platform; run npm install`)
      }
      const libc = words.at(-1) === 'musl' ? ['musl'] : os.includes('linux') && words.at(-1) === 'gnu' ? ['glibc'] : []
      missing[path] = {
        version,
        cpu,
        ...(parent.dev === true ? { dev: true } : {}),
        ...(libc.length === 0 ? {} : { libc }),
        optional: true,
        ...(parent.peer === true ? { peer: true } : {}),
        ...(os.length === 0 ? {} : { os }),
      }
    }
  }
  return missing
}

async function main(root: string, option: string | undefined): Promise<number> {
  const path = join(root, 'package-lock.json')
  const lock = JSON.parse(await readFile(path, 'utf8')) as { readonly packages: LockedPackages }
  const missing = missingPackages(lock.packages)
  const names = Object.keys(missing)
  if (option === '--write') {
    // npm's own order.
    const entries = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => a.localeCompare(b, 'en'))
    await writeFile(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, undefined, 2)}\n`)
    console.log(`${names.length} packages added`)
    return 0
  }
  for (const name of names) console.error(`package-lock.json lacks ${name}`)
  if (names.length > 0) console.error('run npm run lock')
  return names.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(join(import.meta.dirname, '..'), process.argv[2])
