/**
 * The names that BuildKit and buildx give to the steps of a build, taken apart. Names are all that progress tells
 * about where a step comes from: rawjson has no source positions.
 *
 * - `[prod builder  4/12] RUN go build`: bake's target (only where several are built), stage, place, instruction.
 *   https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerfile/dockerfile2llb/convert.go (prefixCommand)
 * - `[linux/arm64 builder 2/3] …`, `[linux/amd64->arm64 …] …`: with a platform where there are several.
 * - `[prod internal] load metadata for …`, `[auth] …`, `[prod] exporting to image`.
 */

/** What kind of step a vertex is. `internal` steps are BuildKit's housekeeping, `export` ones write results. */
export type VertexKind = 'stage' | 'image' | 'internal' | 'export' | 'other'

export interface VertexName {
  readonly kind: VertexKind
  /** Bake's name of the target; undefined where only one is built. */
  readonly target: string | undefined
  readonly platform: string | undefined
  /** As BuildKit names it (`builder`, `stage-2`); undefined in a Dockerfile of one unnamed stage. */
  readonly stage: string | undefined
  /** Place of the instruction in its stage, from 1, and how many there are (FROM an image counts as one). */
  readonly place: number | undefined
  readonly total: number | undefined
  /** The instruction, or the rest of the name. */
  readonly text: string
}

const IN_STAGE = /^(?:([^\s/]+\/\S+) +)?(?:([^\s/]+) +)?(\d+)\/(\d+)$/
const WITH_PLATFORM = /^(?:([^\s/]+\/\S+) +)?(.*)$/s

/** @param targets bake's names of the targets of the run; one alone never stands in a name. */
export function readVertexName(name: string, targets: readonly string[]): VertexName {
  const { inside, text: rest } = splitBrackets(name)
  const target =
    targets.length < 2 ? undefined : targets.find((id) => inside === id || inside?.startsWith(`${id} `) === true)
  const label = target === undefined ? inside : inside?.slice(target.length).trimStart()
  const nothing = { target, platform: undefined, stage: undefined, place: undefined, total: undefined, text: rest }
  if (label === undefined || label === '') return { ...nothing, kind: kindOf(rest) }
  const [, platform, stage, place, total] = IN_STAGE.exec(label) ?? []
  if (place !== undefined) {
    return { kind: 'stage', target, platform, stage, place: Number(place), total: Number(total), text: rest }
  }
  const [, where, word] = WITH_PLATFORM.exec(label) ?? []
  const internal = word === 'internal' || word === 'auth' || word?.startsWith('context ') === true
  if (internal) return { ...nothing, kind: 'internal', platform: where }
  if (word === '') return { ...nothing, kind: kindOf(rest), platform: where }
  return { ...nothing, kind: 'other', text: target === undefined ? name : `[${label}] ${rest}` }
}

function splitBrackets(name: string): { readonly inside: string | undefined; readonly text: string } {
  const end = name.startsWith('[') ? name.indexOf(']') : -1
  return end === -1
    ? { inside: undefined, text: name }
    : { inside: name.slice(1, end), text: name.slice(end + 1).trimStart() }
}

function kindOf(text: string): VertexKind {
  if (text.startsWith('FROM ')) return 'image'
  if (/^exporting (?:to|cache|layers|attestation)|^pushing |^merging |^copying files/.test(text)) return 'export'
  if (/^(?:importing cache|resolving provenance|preparing )/.test(text)) return 'internal'
  return 'other'
}
