/**
 * Which of an image's platforms answers for the one asked for: containerd's order of preference, which BuildKit uses
 * for base images (an exact match, then older variants, then what the processor also runs).
 * https://github.com/containerd/platforms/blob/v1.0.0/compare.go#L37
 */

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
}

/**
 * Reads `os/architecture[/variant]` and normalises it: `linux/aarch64` → arm64, `linux/arm` → arm v7.
 * @throws Error for anything that has not two or three parts of letters, digits, `_`, `.`, `-`.
 */
export function parsePlatform(text: string): Platform {
  const match = /^([A-Za-z0-9_-]+)(?:\([^)/]*\))?\/([A-Za-z0-9_.-]+)(?:\/([A-Za-z0-9_.-]+))?$/.exec(text)
  if (match === null) throw new Error(`${JSON.stringify(text)} is not a platform like linux/amd64`)
  const [, os = '', architecture = '', variant] = match
  return normalizePlatform({ os, architecture, variant })
}

/** `linux/arm/v7`; without the variant where there is none. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/')
}

/** The one spelling of a platform; variants that say nothing (amd64 v1, arm64 v8) are dropped. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase()
  const variant = platform.variant?.toLowerCase() ?? ''
  const architecture = platform.architecture.toLowerCase()
  const done = (name: string, value: string): Platform => ({
    os: os === 'macos' ? 'darwin' : os,
    architecture: name,
    ...(value === '' ? {} : { variant: value }),
  })
  switch (architecture) {
    case 'i386':
      return done('386', '')
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return done('amd64', variant === 'v1' ? '' : variant)
    case 'aarch64':
    case 'arm64':
      return done('arm64', variant === '8' || variant === 'v8' ? '' : variant)
    case 'armhf':
      return done('arm', 'v7')
    case 'armel':
      return done('arm', 'v6')
    case 'arm':
      return done('arm', variant === '' ? 'v7' : /^[5-8]$/.test(variant) ? `v${variant}` : variant)
    default:
      return done(architecture, variant)
  }
}

/** The platform of a machine that runs programs for this one without emulation, as hosted runners have it. */
export function nativeMachine(platform: string): string {
  const { os, architecture } = parsePlatform(platform)
  const machines: Readonly<Record<string, string>> = { 386: 'amd64', arm: 'arm64' }
  return `${os}/${machines[architecture] ?? architecture}`
}

/**
 * How well a platform serves a wanted one: 0 is exact, higher is worse, undefined does not serve at all.
 */
export function platformRank(wanted: Platform, offered: Platform): number | undefined {
  const text = formatPlatform(normalizePlatform(offered))
  const rank = platformVector(normalizePlatform(wanted)).findIndex(
    (served) => formatPlatform(normalizePlatform(served)) === text,
  )
  return rank === -1 ? undefined : rank
}

/** Every platform that serves the wanted one, the best first. */
function platformVector(wanted: Platform): readonly Platform[] {
  const { os, architecture, variant = '' } = wanted
  const version = Number.parseInt(variant.replace(/^v/, ''), 10)
  switch (architecture) {
    case 'amd64':
      return [wanted, ...older({ os, architecture }, { from: version, to: 1 }), { os, architecture: '386' }]
    case 'arm':
      return [wanted, ...older({ os, architecture }, { from: version, to: 5 })]
    case 'arm64':
      return [wanted, ...arm64Variants(wanted), ...platformVector({ os, architecture: 'arm', variant: 'v8' })]
    default:
      return [wanted]
  }
}

function older(platform: Platform, { from, to }: { readonly from: number; readonly to: number }): readonly Platform[] {
  const versions: Platform[] = []
  for (let version = from - 1; version >= to; version--) versions.push({ ...platform, variant: `v${version}` })
  return versions
}

/** arm64 v9.x also runs v9.0 … v9.x-1 and v8.0 … v8.x+5; v8.x runs the v8 before it. */
function arm64Variants(wanted: Platform): readonly Platform[] {
  const match = /^v([89])(?:\.([0-9]))?$/.exec(wanted.variant ?? 'v8')
  if (match === null) return []
  const minor = Number(match[2] ?? 0)
  const named = (major: number, below: number): readonly Platform[] =>
    Array.from({ length: below }, (_, index) => {
      const at = below - 1 - index
      return { ...wanted, variant: at === 0 ? `v${major}` : `v${major}.${at}` }
    })
  return match[1] === '9' ? [...named(9, minor), ...named(8, minor + 6)] : named(8, minor)
}
