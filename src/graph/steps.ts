/** What BuildKit is told to do by one instruction, as words that can be compared: equal words, equal operation. Pure. */
import type { AddInstruction, CopyInstruction, RunInstruction, StageInstruction } from '../dockerfile/instructions.ts'
import { extractFlags, type Flag } from '../dockerfile/flags.ts'
import type { Mount } from '../dockerfile/mount.ts'
import { rootedPath } from '../dockerfile/go-text.ts'

/** The instruction's values with their variables expanded. */
export interface ExpandedTransfer {
  readonly sources: readonly string[]
  readonly destination: string
  readonly chown: string
  readonly chmod: string
  readonly checksum: string
  /** Bodies of the heredocs among the sources. */
  readonly bodies: readonly string[]
}

/**
 * The operation of a COPY or ADD.
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchCopy)
 * @param workdir undefined where the base image decides: then a relative destination stays as it is
 */
export function transferWords(
  instruction: CopyInstruction | AddInstruction,
  expanded: ExpandedTransfer,
  workdir: string | undefined,
): readonly string[] {
  const { keyword, heredocSources, link, exclude } = instruction
  const parents = keyword === 'COPY' && instruction.parents
  const { destination, chown, chmod, checksum } = expanded
  const isRooted = destination.startsWith('/') || workdir === undefined
  // A slash at the end makes it a directory.
  const place = isRooted
    ? destination
    : `${rootedPath(`${workdir}/${destination}`)}${/(^|\/)\.?$/.test(destination) ? '/' : ''}`
  return [
    keyword,
    ...expanded.sources.map((source) => `source=${isAddress(source) ? source : sourcePath(source, parents)}`),
    ...heredocSources.map(({ name }, index) => `file=${name}=${expanded.bodies[index] ?? ''}`),
    `destination=${place}`,
    ...given({ chown, chmod, checksum }),
    ...(link ? ['link'] : []),
    ...exclude.map((pattern) => `exclude=${pattern}`),
    ...(parents ? ['parents'] : []),
    ...(keyword === 'ADD' ? flagWords(instruction.flags, ['keep-git-dir', 'unpack']) : []),
    ...newerFlags(instruction),
  ]
}

function isAddress(source: string): boolean {
  return /^[a-z]+:|^git@/i.test(source)
}

/**
 * A source of COPY or ADD, rooted. With `--parents` the first `/./` is the pivot: names begin behind it.
 * https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchCopy)
 */
export function sourcePath(source: string, parents: boolean): string {
  const pivot = parents ? source.indexOf('/./') : -1
  if (pivot < 0) return rootedPath(source)
  const parent = rootedPath(source.slice(0, pivot))
  return `${parent === '/' ? '' : parent}/.${rootedPath(source.slice(pivot + 3))}`
}

/**
 * The operation of a RUN. Names and sharing of cache mounts are not part of BuildKit's key.
 * https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/ops/exec.go (CacheMap)
 */
export function runWords(instruction: RunInstruction, mounts: readonly Mount[]): readonly string[] {
  const { args, json, heredocs, flags, network, security } = instruction
  return [
    'RUN',
    json ? 'exec' : 'shell',
    JSON.stringify(args),
    ...heredocs.map(({ name, expand, chomp, fileDescriptor, body }) =>
      JSON.stringify([name, expand, chomp, fileDescriptor, body]),
    ),
    ...mounts.map(mountWord),
    `network=${network}`,
    `security=${security}`,
    ...flagWords(flags, ['device']),
    ...newerFlags(instruction),
  ]
}

function mountWord({ type, from, source, target, readOnly, id, required, options }: Mount): string {
  const named = type === 'cache' ? {} : { id }
  const own = type === 'cache' && from === '' ? {} : { source }
  return `mount=${JSON.stringify({ type, ...own, target, readOnly, ...named, required, options: [...options].sort() })}`
}

/** What any other instruction leaves in the image's configuration. */
export function configWords({ keyword, flags, json }: StageInstruction, values: readonly string[]): readonly string[] {
  return [keyword, ...(json ? ['exec'] : []), ...flags.map(flagWord).sort(), ...values]
}

/** What a flag does that is not known here cannot be told: then the instruction's text counts. */
function newerFlags({ text, flags }: StageInstruction): readonly string[] {
  const { flags: written } = extractFlags(text.replace(/^\s*\S+\s*/, ''), '\\')
  const names = new Set(flags.map(({ name }) => name))
  return written.every((flag) => names.has(/^--([^=]*)/.exec(flag)?.[1] ?? '')) ? [] : [`text=${text}`]
}

function flagWords(flags: readonly Flag[], names: readonly string[]): readonly string[] {
  return flags.filter(({ name }) => names.includes(name)).map(flagWord)
}

function flagWord({ name, value }: Flag): string {
  return `--${name}=${value ?? 'true'}`
}

function given(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === '' ? [] : [`${name}=${value}`]))
}
