/** What BuildKit is told to do by one instruction, as words that can be compared: equal words, equal operation. Pure. */
import type { AddInstruction, CopyInstruction, RunInstruction, StageInstruction } from '../dockerfile/instructions.ts'
import type { Flag } from '../dockerfile/flags.ts'
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
  const { destination, chown, chmod, checksum } = expanded
  const isRooted = destination.startsWith('/') || workdir === undefined
  // A slash at the end makes it a directory.
  const place = isRooted
    ? destination
    : `${rootedPath(`${workdir}/${destination}`)}${/(^|\/)\.?$/.test(destination) ? '/' : ''}`
  return [
    keyword,
    ...expanded.sources.map((source) => `source=${/^[a-z]+:|^git@/i.test(source) ? source : rootedPath(source)}`),
    ...heredocSources.map(({ name }, index) => `file=${name}=${expanded.bodies[index] ?? ''}`),
    `destination=${place}`,
    ...given({ chown, chmod, checksum }),
    ...(link ? ['link'] : []),
    ...exclude.map((pattern) => `exclude=${pattern}`),
    ...(keyword === 'COPY' && instruction.parents ? ['parents'] : []),
    ...(keyword === 'ADD' ? flagWords(instruction.flags, ['keep-git-dir', 'unpack']) : []),
  ]
}

/**
 * The operation of a RUN. Names and sharing of cache mounts are not part of BuildKit's key.
 * https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/ops/exec.go (CacheMap)
 */
export function runWords(
  { args, json, heredocs, network, security }: RunInstruction,
  mounts: readonly Mount[],
): readonly string[] {
  return [
    'RUN',
    json ? 'exec' : 'shell',
    ...args,
    ...heredocs.map(({ name, expand, chomp, fileDescriptor, body }) =>
      JSON.stringify([name, expand, chomp, fileDescriptor, body]),
    ),
    ...mounts.map(mountWord),
    `network=${network}`,
    `security=${security}`,
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

function flagWords(flags: readonly Flag[], names: readonly string[]): readonly string[] {
  return flags.filter(({ name }) => names.includes(name)).map(flagWord)
}

function flagWord({ name, value }: Flag): string {
  return `--${name}=${value ?? 'true'}`
}

function given(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === '' ? [] : [`${name}=${value}`]))
}
