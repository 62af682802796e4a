/** The form of single values: platforms, sizes, limits, hosts, networks, outputs. Wrong ones are told before any engine is asked. */
import { nearest, type Problem } from './errors.ts'
import { SyntaxFault } from './dockerfile/dockerfile-error.ts'
import { HOST, parsePlatform, unknownPart } from './graph/platform.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'

const OUTPUT_TYPES = ['local', 'tar', 'oci', 'docker', 'image', 'registry', 'cacheonly'] as const
const NEEDS_DEST: ReadonlySet<string> = new Set(['local', 'tar', 'oci'])
const NETWORKS = ['default', 'none', 'host'] as const

/** Every value that buildx or BuildKit would refuse by its form alone. */
export function malformed(inputs: Inputs): readonly Problem[] {
  return [
    ...inputs.platforms.flatMap((platform) => platformProblem(platform) ?? []),
    ...inputs.outputs.flatMap((line) => outputProblem(line) ?? []),
    ...(inputs.network === undefined ? [] : (networkProblem(inputs.network) ?? [])),
    ...(inputs.shmSize === undefined ? [] : (sizeProblem(inputs.shmSize) ?? [])),
    ...inputs.ulimit.flatMap((line) => ulimitProblem(line) ?? []),
    ...inputs.addHosts.flatMap((line) => hostProblem(line) ?? []),
    ...inputs.annotations.flatMap((line) => annotationProblem(line) ?? []),
  ]
}

function platformProblem(specifier: string): readonly Problem[] | undefined {
  try {
    const unknown = unknownPart(parsePlatform(specifier, HOST))
    if (unknown === undefined) return undefined
    const near = nearest(unknown.part, unknown.known)
    return [
      {
        input: 'platforms',
        message: `\`platforms\`: \`${shown(specifier)}\` is no platform: there is no \`${shown(unknown.part)}\`.`,
        mend:
          near === undefined
            ? 'Write `OS/ARCH`, such as `linux/amd64` or `linux/arm64`.'
            : `Did you mean \`${specifier.replace(unknown.part, near)}\`?`,
      },
    ]
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    return [
      {
        input: 'platforms',
        message: `\`platforms\`: \`${shown(specifier)}\` is not of the form \`OS/ARCH[/VARIANT]\`.`,
        mend: 'Write, for example, `linux/amd64` or `linux/arm/v7`.',
      },
    ]
  }
}

/** Lines without `type=` are paths; `build/output-lines.ts` reads them in full. */
function outputProblem(line: string): readonly Problem[] | undefined {
  const type = /(?:^|,)"?type=([^",]*)/.exec(line)?.[1]
  if (type === undefined) return undefined
  if (!OUTPUT_TYPES.some((known) => known === type)) {
    const near = nearest(type, OUTPUT_TYPES)
    return [
      {
        input: 'outputs',
        message: `\`outputs\`: \`${shown(line)}\`: there is no type \`${shown(type)}\`.`,
        mend:
          near === undefined
            ? 'Use `local`, `tar`, `oci`, `docker`, `image` or `registry`.'
            : `Did you mean \`type=${near}\`?`,
      },
    ]
  }
  if (!NEEDS_DEST.has(type) || /(?:^|,)"?dest=[^,]/.test(line)) return undefined
  return [
    {
      input: 'outputs',
      message: `\`outputs\`: \`${shown(line)}\` does not say where to write.`,
      mend: `Add \`dest=PATH\`, such as \`type=${type},dest=out${type === 'local' ? '' : '.tar'}\`.`,
    },
  ]
}

/** https://github.com/docker/buildx/blob/v0.29.1/build/opt.go (LoadInputs, network modes) */
function networkProblem(network: string): readonly Problem[] | undefined {
  if (NETWORKS.some((known) => known === network)) return undefined
  return [
    {
      input: 'network',
      message: `\`network\`: \`${shown(network)}\` is not one of \`default\`, \`none\`, \`host\`.`,
      mend: 'A network of your own can be given to the builder (docker/setup-buildx-action with `driver-opts: network=…`).',
    },
  ]
}

/** https://github.com/docker/go-units/blob/v0.5.0/size.go (RAMInBytes) */
function sizeProblem(size: string): readonly Problem[] | undefined {
  if (/^\d+(?:\.\d+)? ?(?:[kmgtp]?i?b?)$/i.test(size)) return undefined
  return [
    {
      input: 'shm-size',
      message: `\`shm-size\`: \`${shown(size)}\` is not a size.`,
      mend: 'Write bytes or a number with a unit, such as `128m` or `2g`.',
    },
  ]
}

function ulimitProblem(line: string): readonly Problem[] | undefined {
  if (/^[a-z]+=-?\d+(?::-?\d+)?$/.test(line)) return undefined
  return [
    {
      input: 'ulimit',
      message: `\`ulimit\`: \`${shown(line)}\` is not of the form \`TYPE=SOFT[:HARD]\`.`,
      mend: 'Write, for example, `nofile=1024:2048`.',
    },
  ]
}

/** The name in a line of `add-hosts`. */
export function hostOf(line: string): string {
  return line.split(/[:=]/, 1)[0] ?? ''
}

function hostProblem(line: string): readonly Problem[] | undefined {
  if (/^[^:=\s]+[:=]\S+$/.test(line)) return undefined
  return [
    {
      input: 'add-hosts',
      message: `\`add-hosts\`: \`${shown(line)}\` is not of the form \`HOST:IP\`.`,
      mend: 'Write, for example, `api.local:10.0.0.2`.',
    },
  ]
}

/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/export.go (ParseAnnotations) */
function annotationProblem(line: string): readonly Problem[] | undefined {
  if (/^[^=]*[^=:]=/.test(line)) return undefined
  return [
    {
      input: 'annotations',
      message: `\`annotations\`: \`${shown(line)}\` is not of the form \`[TYPE:]NAME=VALUE\`.`,
      mend: 'Write, for example, `org.opencontainers.image.title=app` or `index:org.opencontainers.image.title=app`.',
    },
  ]
}
