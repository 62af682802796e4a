/** What came of a build, target by target: from bake's outcome to what outputs, summary and report are made from. Pure. */
import type { BuildOutcome } from './build/build.ts'
import { outputTypes } from './build/output-lines.ts'
import type { Step } from './build/progress.ts'
import type { Problem } from './errors.ts'
import type { Inputs } from './inputs.ts'
import type { TargetSizes } from './measure/sizes.ts'
import type { Measured } from './measuring.ts'
import type { BuiltImage } from './outputs.ts'
import type { Planned } from './planning.ts'
import type { CacheFacts } from './report/cache-facts.ts'
import type { Missing } from './report/missing.ts'

export interface Built {
  /** Of what is built, in the order of the targets. */
  readonly images: readonly BuiltImage[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly steps: readonly Step[]
  readonly measured: Measured
  /** Undefined where the run had no layer cache. */
  readonly cache: CacheFacts | undefined
  /** What cannot be told or done with this builder. */
  readonly missing: readonly Missing[]
  /** Targets that were not built, since nothing changed; their images are among `images`. */
  readonly unchanged: ReadonlySet<string>
  /** What stands against a target that is not built: of each the first problem. */
  readonly failed: ReadonlyMap<string, Problem>
  /** All of what failed; empty when everything is built. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/** Reads an outcome. */
export function builtFrom(
  outcome: BuildOutcome,
  context: {
    readonly inputs: Inputs
    readonly planned: Planned
    readonly measured: Measured
    readonly cache: CacheFacts | undefined
    readonly missing: readonly Missing[]
    readonly warnings: readonly Problem[]
  },
): Built {
  const { inputs, planned, measured, cache, missing, warnings } = context
  const problems = scannerProblems(outcome, inputs)
  const failures = outcome.failures
    .toReversed()
    .flatMap(({ targets, problem }) => targets.map((name) => [name, problems?.[0] ?? problem] as const))
  // Without an image output of the user's the metadata tells the digest of the measured copy, which nobody can pull.
  const isPublished = (name: string): boolean =>
    inputs.push ||
    inputs.load ||
    outputTypes(planned.partOf(name).part.inputs.outputs).some((type) => ['image', 'docker', 'oci'].includes(type))
  const results = new Map(outcome.metadata.results.map((result) => [result.target, result]))
  return {
    ...{ steps: outcome.steps, measured, cache, missing, warnings, unchanged: new Set<string>() },
    failed: new Map(failures),
    problems: problems ?? outcome.problems,
    metadata: outcome.metadata.output,
    images: planned.targets
      .filter(({ name }) => outcome.built.has(name))
      .map(({ name }) => ({
        target: name,
        tags: planned.tagsOf.get(name) ?? [],
        digest: isPublished(name) ? results.get(name)?.digest : undefined,
        imageId: results.get(name)?.configDigest ?? onlyConfig(measured.sizes.get(name)),
        sizes: measured.sizes.get(name),
      })),
  }
}

/** https://github.com/moby/buildkit/blob/v0.25.2/frontend/attestations/parse.go */
const SCANNER = 'docker/buildkit-syft-scanner'

/**
 * BuildKit runs a scanner for `sbom`, from an image that neither the Dockerfile nor the user names, and
 * `external-images` does not reach: a problem with it is told as one of that input.
 * https://github.com/moby/buildkit/blob/v0.25.2/docs/attestations/sbom.md
 */
function scannerProblems(outcome: BuildOutcome, inputs: Inputs): readonly Problem[] | undefined {
  if (outcome.kind !== 'failed' || (inputs.sbom === undefined && inputs.attests.length === 0)) return undefined
  const [failed, ...others] = outcome.steps.filter((step) => step.status === 'failed')
  const [problem] = outcome.problems
  const [, image] = /^resolve image config for docker-image:\/\/(\S+)$/.exec(failed?.text ?? '') ?? []
  const generator = /generator=([^,]+)/.exec([inputs.sbom, ...inputs.attests].join(','))?.[1] ?? SCANNER
  if (problem === undefined || others.length > 0 || image?.includes(generator) !== true) return undefined
  return [
    {
      input: 'sbom',
      message: `\`sbom\`: its scanner \`${image}\` cannot be had: ${problem.message}`,
      mend: 'Name a copy of it with `sbom: generator=IMAGE`, or set `sbom: false`.',
    },
  ]
}

/** Buildx tells no image id where an attestation makes an index of a single image. */
function onlyConfig(sizes: TargetSizes | undefined): string | undefined {
  const [only, ...others] = sizes?.platforms ?? []
  return others.length === 0 ? only?.configDigest : undefined
}
