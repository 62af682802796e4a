/**
 * Platforms as text and in parts: parsing, the normal form, and the words for a bad one.
 * Source: https://github.com/containerd/platforms/blob/v1.0.0-rc.1/platforms.go and database.go
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import { goQuote } from '../dockerfile/go-text.ts'

export interface Platform {
  readonly os: string
  readonly osVersion: string
  readonly architecture: string
  /** Empty where there is none. */
  readonly variant: string
}

/** What stands for the machine where none is told. */
export const HOST: Platform = { os: 'linux', osVersion: '', architecture: 'amd64', variant: '' }

const KNOWN_OS: ReadonlySet<string> = new Set(
  (
    'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos ' +
    'wasip1'
  ).split(' '),
)
const KNOWN_ARCHITECTURES: ReadonlySet<string> = new Set(
  (
    '386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 ' +
    'mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm'
  ).split(' '),
)

/** The part of a platform that containerd does not know: parsed all the same, but nothing can be built for it. */
export function unknownPart(
  platform: Platform,
): { readonly part: string; readonly known: readonly string[] } | undefined {
  if (!KNOWN_OS.has(platform.os) && platform.os !== 'wasi') return { part: platform.os, known: [...KNOWN_OS] }
  if (KNOWN_ARCHITECTURES.has(platform.architecture)) return undefined
  return { part: platform.architecture, known: [...KNOWN_ARCHITECTURES] }
}

const OS_TEXT = '^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.%-]*)((?:\\+[A-Za-z0-9_.%-]+)*)\\))?$'
const PART_TEXT = '^[A-Za-z0-9_.-]+$'
const OS = new RegExp(OS_TEXT)
const PART = new RegExp(PART_TEXT)
const INVALID = 'invalid argument'

/**
 * Parses `os[/arch[/variant]]`; a lone architecture or system is completed with the host's other half.
 * @throws SyntaxFault in containerd's words
 */
export function parsePlatform(specifier: string, host: Platform): Platform {
  const quoted = goQuote(specifier)
  if (specifier.includes('*')) throw new SyntaxFault(`${quoted}: wildcards not yet supported: ${INVALID}`)
  const parts = specifier.split('/')
  const match = OS.exec(parts[0] ?? '')
  if (match === null) {
    const text = `${goQuote(parts[0] ?? '')} is an invalid OS component of ${quoted}`
    throw new SyntaxFault(`${text}: OSAndVersion specifier component must match ${goQuote(OS_TEXT)}: ${INVALID}`)
  }
  const bad = parts.slice(1).find((part) => !PART.test(part))
  if (bad !== undefined) {
    const text = `${goQuote(bad)} is an invalid component of ${quoted}`
    throw new SyntaxFault(`${text}: platform specifier component must match ${goQuote(PART_TEXT)}: ${INVALID}`)
  }
  const os = normalOs(match[1] ?? '')
  const osVersion = match[2] ?? ''
  const [first = '', architecture, variant, ...more] = parts
  if (more.length > 0) throw new SyntaxFault(`${quoted}: cannot parse platform specifier: ${INVALID}`)
  if (architecture === undefined) {
    if (KNOWN_OS.has(os)) return { os, osVersion, architecture: host.architecture, variant: host.variant }
    const single = withoutDefaultArm(normalArchitecture(first, ''))
    if (KNOWN_ARCHITECTURES.has(single.architecture)) return { os: host.os, osVersion: '', ...single }
    throw new SyntaxFault(`${quoted}: unknown operating system or architecture: ${INVALID}`)
  }
  const normal = normalArchitecture(architecture, variant ?? '')
  if (variant === undefined) return { os, osVersion, ...withoutDefaultArm(normal) }
  return {
    os,
    osVersion,
    ...normal,
    ...(normal.architecture === 'arm64' && normal.variant === '' && { variant: 'v8' }),
  }
}

interface Architecture {
  readonly architecture: string
  readonly variant: string
}

function withoutDefaultArm(parts: Architecture): Architecture {
  return parts.architecture === 'arm' && parts.variant === 'v7' ? { ...parts, variant: '' } : parts
}

function normalOs(os: string): string {
  const lower = os.toLowerCase()
  return lower === 'macos' ? 'darwin' : lower
}

function normalArchitecture(written: string, writtenVariant: string): Architecture {
  const architecture = written.toLowerCase()
  const variant = writtenVariant.toLowerCase()
  switch (architecture) {
    case 'i386':
      return { architecture: '386', variant: '' }
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return { architecture: 'amd64', variant: variant === 'v1' ? '' : variant }
    case 'aarch64':
    case 'arm64':
      if (variant === '8' || variant === 'v8') return { architecture: 'arm64', variant: '' }
      return { architecture: 'arm64', variant: ['9', '9.0', 'v9.0'].includes(variant) ? 'v9' : variant }
    case 'armhf':
      return { architecture: 'arm', variant: 'v7' }
    case 'armel':
      return { architecture: 'arm', variant: 'v6' }
    case 'arm':
      if (variant === '' || variant === '7') return { architecture, variant: 'v7' }
      return { architecture, variant: ['5', '6', '8'].includes(variant) ? `v${variant}` : variant }
    default:
      return { architecture, variant }
  }
}

/** The one form of a platform among those that mean the same. */
export function normalizePlatform(platform: Platform): Platform {
  const { osVersion } = platform
  return { os: normalOs(platform.os), osVersion, ...normalArchitecture(platform.architecture, platform.variant) }
}

/** `os[(version)]/arch[/variant]`. */
export function formatPlatform({ os, osVersion, architecture, variant }: Platform): string {
  const system = osVersion === '' ? os : `${os}(${osVersion})`
  return [system, architecture, variant].filter((part) => part !== '').join('/')
}

/**
 * The platforms that a list means, as buildx reads it: each in its one form and once, `local` being the machine that asks, and
 * several in one text parted by commas. What is no platform stays as it is written, to be told.
 * Source: https://github.com/docker/buildx/blob/v0.29.1/util/platformutil/parse.go (Parse)
 * @param host the platform of the machine that asks
 */
export function namedPlatforms(written: readonly string[], host: string): readonly string[] {
  const all = written.flatMap((text) => text.split(','))
  return [...new Set(all.map((text) => namedPlatform(text.toLowerCase() === 'local' ? host : text, host)))]
}

function namedPlatform(text: string, host: string): string {
  try {
    const platform = normalizePlatform(parsePlatform(text, normalizePlatform(parsePlatform(host, HOST))))
    return unknownPart(platform) === undefined ? formatPlatform(platform) : text
  } catch (error) {
    if (error instanceof SyntaxFault) return text
    throw error
  }
}
