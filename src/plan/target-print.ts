/**
 * Fingerprint of a target: its stage's for every platform, and what shapes the image beyond its layers. Names, tags and
 * where the image goes are not in it, secrets and SSH neither.
 */
import { digestOf, type StagePrint } from './stage-print.ts'

/** Data of a target's image that are in no layer. */
export interface ImageOptions {
  readonly labels: readonly { readonly key: string; readonly value: string }[]
  /** `[LEVEL:]KEY=VALUE` */
  readonly annotations: readonly string[]
  readonly provenance: string | undefined
  readonly sbom: string | undefined
  readonly attests: readonly string[]
  readonly compression: string
  /** Lines of `outputs`. */
  readonly outputs: readonly string[]
  readonly buildArgs: Readonly<Record<string, string>>
  readonly dockerfileText: string
  /** Of each context that is read, the patterns of its ignore file. */
  readonly ignorePatterns: readonly (readonly [context: string, patterns: readonly string[]])[]
  /** Whether buildx adds a provenance attestation by itself. */
  readonly defaultAttestations: boolean
  /** Keys of labels and annotations that stay out (DESIGN §6): a re-tagged image keeps its old ones. */
  readonly volatileLabels: readonly string[]
  // What a provenance attestation tells besides.
  readonly file: string | undefined
  readonly buildContexts: readonly { readonly key: string; readonly value: string }[]
  readonly externalImages: readonly { readonly name: string; readonly source: unknown }[]
  readonly network: string | undefined
  readonly addHosts: readonly string[]
  readonly shmSize: string | undefined
  readonly ulimit: readonly string[]
  readonly pull: boolean
}

export interface TargetField {
  /** The input's name, as reasons tell it. */
  readonly name: string
  readonly digest: string
}

export interface PlatformPrint {
  readonly platform: string
  /** In build order, the target's own stage last. */
  readonly stages: readonly StagePrint[]
}

export interface TargetPrint {
  readonly platforms: readonly PlatformPrint[]
  readonly fields: readonly TargetField[]
  /** Undefined where a stage has none. */
  readonly fingerprint: string | undefined
}

export function printTarget(platforms: readonly PlatformPrint[], options: ImageOptions): TargetPrint {
  const fields = [...imageFields(options), ...provenanceFields(platforms, options)].map(([name, value]) => ({
    name,
    digest: digestOf(value),
  }))
  const stages = platforms.map(({ platform, stages: all }) => [platform, all.at(-1)?.fingerprint] as const)
  const known = stages.length > 0 && stages.every(([, fingerprint]) => fingerprint !== undefined)
  return { platforms, fields, fingerprint: known ? digestOf([VERSION, stages, fields]) : undefined }
}

/** Raised when what is printed changes, so that no record of before is taken for an equal one. */
const VERSION = 1

type Field = readonly [name: string, value: unknown]

function imageFields(options: ImageOptions): readonly Field[] {
  const volatile = new Set(options.volatileLabels)
  const labels = options.labels.filter(({ key }) => !volatile.has(key)).map(({ key, value }) => [key, value])
  const annotations = options.annotations.filter((line) => !volatile.has(annotationKey(line)))
  return [
    // In the configuration.
    ['labels', sortedLast(labels)],
    // In the manifest or the index. Of one key that is given twice the last counts, so their order stays.
    ['annotations', [...annotations].sort((a, b) => compareTexts(annotationKey(a), annotationKey(b)))],
    // Attestations hang on the image.
    ['provenance', [options.provenance ?? null, options.defaultAttestations]],
    ['sbom', options.sbom ?? null],
    ['attests', options.attests],
    // The layers' bytes.
    ['compression', options.compression],
    ['outputs', options.outputs.map(shapeOf).filter((shape) => shape.length > 0)],
    // BuildKit's own arguments: SOURCE_DATE_EPOCH, BUILDKIT_INLINE_CACHE, ….
    ['build-args', sortedArgs(options).filter(([name]) => isBuildkits(name))],
  ]
}

/**
 * What a provenance attestation holds: names beside digests, and how the build was asked for.
 * https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/provenance/predicate.go
 */
function provenanceFields(platforms: readonly PlatformPrint[], options: ImageOptions): readonly Field[] {
  const { provenance, attests, buildContexts, externalImages, buildArgs, labels } = options
  const isOff =
    provenance === undefined
      ? !options.defaultAttestations
      : /^(?:0|f|false)$|(?:^|,)disabled=(?:1|t|true)(?:,|$)/i.test(provenance)
  if (isOff && !attests.some((line) => line.includes('type=provenance'))) return []
  const images = new Set(platforms.flatMap(({ stages }) => stages.flatMap(imagesOf)))
  const contexts = buildContexts.map(({ key, value }) => [key, /^[a-z][a-z0-9+.-]*:/.test(value) ? value : ''])
  const { file, network, addHosts, shmSize, ulimit } = options
  const fields: Field[] = [
    ['provenance (names of images)', [[...images].sort(), externalImages.filter(({ name }) => images.has(name))]],
    [
      'provenance (how the build is asked for)',
      [
        ...[file?.replace(/.*\//s, '') ?? null, network ?? null, addHosts, shmSize ?? null, ulimit],
        contexts.sort(([a = ''], [b = '']) => compareTexts(a, b)),
        // Names and values are left out of it, and it says whether something was.
        labels.length > 0 || Object.keys(buildArgs).length > 0,
      ],
    ],
  ]
  if (!isFullProvenance(options)) return fields
  // It holds the whole Dockerfile and every argument, also those that nothing reads, how contexts are sent, and whether
  // images are looked up anew.
  const { dockerfileText, ignorePatterns, pull } = options
  return [...fields, ['provenance (the whole Dockerfile)', [dockerfileText, sortedArgs(options), ignorePatterns, pull]]]
}

function imagesOf({ base, steps }: StagePrint): readonly string[] {
  return [base, ...steps.flatMap(({ sources }) => sources)].flatMap(({ kind, name }) => (kind === 'image' ? name : []))
}

function sortedArgs({ buildArgs }: ImageOptions): readonly (readonly [string, string])[] {
  return Object.entries(buildArgs).sort(([a], [b]) => compareTexts(a, b))
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** https://docs.docker.com/build/building/variables/#buildkit-built-in-build-args */
export function isBuildkits(name: string): boolean {
  return name === 'SOURCE_DATE_EPOCH' || name.startsWith('BUILDKIT_')
}

/** Of two labels with one key the last counts. */
function sortedLast(labels: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return [...new Map(labels.map((pair) => [pair[0], pair])).values()].sort(([a = ''], [b = '']) => compareTexts(a, b))
}

/** `manifest-descriptor[linux/amd64]:KEY=VALUE` → `KEY` */
function annotationKey(line: string): string {
  const key = line.split('=', 1)[0] ?? ''
  return key.replace(/^(?:(?:manifest|index)(?:-descriptor)?(?:\[[^\]]*\])?,?)+:/, '')
}

/** Where an output goes does not shape the image. */
const PLACES = /^"?(?:name|dest|push|push-by-digest|name-canonical|registry\.insecure|store|unpack|tar|context)=/

function shapeOf(line: string): readonly string[] {
  return line
    .split(',')
    .filter((field) => !PLACES.test(field))
    .sort((a, b) => compareTexts(fieldKey(a), fieldKey(b)))
}

function fieldKey(field: string): string {
  return field.split('=', 1)[0] ?? ''
}

function isFullProvenance({ provenance, attests }: ImageOptions): boolean {
  return (
    /(^|,)mode=max(,|$)/.test(provenance ?? '') ||
    attests.some((line) => /type=provenance/.test(line) && /mode=max/.test(line))
  )
}
