/**
 * Which builder builds. The decision is a pure function of what docker has and what the build needs; creating and
 * removing a builder of the action's own follow from it. Knows no docker flags (`buildx.ts`) and no cache.
 */
import { createHash } from 'node:crypto'
import { nearest, UserError, type Problem } from '../errors.ts'
import type { NewBuilder } from './buildx.ts'
import type { BuilderFacts } from './docker-facts.ts'

/** What a build asks of its builder. */
export interface BuilderNeeds {
  /** Several platforms in one build. */
  readonly multiPlatform: boolean
  /** `cache-to` of any kind but inline, given by the user. */
  readonly cacheExport: boolean
  /** An output of type `oci`. */
  readonly ociOutput: boolean
  /** Pushing without tags. */
  readonly pushByDigest: boolean
  /** The layer registry on loopback: layer cache and measured images. Nice to have; the other needs are musts. */
  readonly loopback: boolean
}

export interface BuilderQuestion {
  /** The input `builder`. */
  readonly named: string | undefined
  readonly builders: readonly BuilderFacts[]
  /** The engine keeps its images in containerd. */
  readonly containerdStore: boolean
  /** The engine runs on this machine (no `tcp://` or `ssh://` DOCKER_HOST), so that its loopback is ours. */
  readonly engineIsLocal: boolean
  readonly needs: BuilderNeeds
  /** The user names a registry for BuildKit's cache, which stands in for the layer cache. */
  readonly hasRegistryCache?: boolean
  /** Tells this job from every other on the same machine; later steps of the job find the builder by it. */
  readonly job: string
}

export type BuilderDecision =
  | {
      readonly kind: 'use'
      /** Undefined: whatever is current. */
      readonly name: string | undefined
      readonly driver: string
      /** Whether it can push to and read from a registry on this machine's loopback. */
      readonly loopback: boolean
      readonly warnings: readonly Problem[]
    }
  | {
      readonly kind: 'create'
      readonly spec: NewBuilder
      /** `buildkitd.toml` that the new builder gets, too. */
      readonly config: string | undefined
      readonly why: string
      /** What to do when it cannot be created (its image cannot be pulled); undefined: the build cannot do without. */
      readonly otherwise: (BuilderDecision & { readonly kind: 'use' }) | undefined
    }

interface Abilities {
  readonly multiPlatform: boolean
  readonly cacheExport: boolean
  readonly ociOutput: boolean
  readonly pushByDigest: boolean
  readonly loopback: boolean
}

const OWN_PREFIX = 'stage-build-'

/** Whether a driver's builders are on other machines: they are given, and need no engine here. */
export function isElsewhere(driver: string): boolean {
  return driver === 'remote' || driver === 'kubernetes'
}

/**
 * Chooses the builder (DESIGN §7): the current one if it can do all that is needed; otherwise one of our own beside
 * it, of the same image, options and configuration, but on the host's network. A builder that the user named is obeyed.
 * @throws UserError when the named builder does not exist.
 */
export function decideBuilder(question: BuilderQuestion): BuilderDecision {
  const { named, builders, needs } = question
  if (named !== undefined) return useNamed(question, named)
  const current = builders.find((builder) => builder.current)
  const can = abilities(current, question)
  const lacking = missing(needs, can)
  const use = useDecision(current, can, question, lacking)
  if (lacking.length === 0) return use
  const copyable = current === undefined || current.driver === 'docker' || current.driver === 'docker-container'
  if (!copyable || !question.engineIsLocal || (current !== undefined && current.nodes.length > 1)) return use

  const { spec, config } = ownBuilder(current, question.job)
  const existing = builders.find((builder) => builder.name === spec.name)
  const all = { multiPlatform: true, cacheExport: true, ociOutput: true, pushByDigest: true, loopback: true }
  if (existing !== undefined) return useDecision(existing, all, question, [])
  const onlyLoopback = lacking.length === 1 && lacking[0] === 'loopback'
  return {
    kind: 'create',
    spec,
    config,
    why: `the current builder (${describe(current)}) ${lacking.map((need) => LACK[need]).join(' and ')}`,
    otherwise: onlyLoopback ? use : undefined,
  }
}

function useNamed(question: BuilderQuestion, named: string): BuilderDecision {
  const builder = question.builders.find((candidate) => candidate.name === named)
  if (builder === undefined) {
    const guess = nearest(
      named,
      question.builders.map((candidate) => candidate.name),
    )
    throw new UserError({
      input: 'builder',
      message: `\`builder\`: there is no builder named \`${named}\`.`,
      mend:
        guess === undefined
          ? 'Create it with docker/setup-buildx-action (its `name` output), or remove `builder`.'
          : `Did you mean \`${guess}\`?`,
    })
  }
  const can = abilities(builder, question)
  return useDecision(builder, can, question, missing(question.needs, can))
}

function abilities(builder: BuilderFacts | undefined, question: BuilderQuestion): Abilities {
  const driver = builder?.driver ?? 'docker'
  // https://github.com/docker/buildx/blob/v0.29.1/driver/docker/driver.go (Features): all hang on the image store.
  if (driver === 'docker') {
    const store = question.containerdStore
    // https://github.com/docker/buildx/blob/v0.29.1/build/opt.go (toSolveOpt) refuses the last, and so does the engine's exporter.
    const hangOnStore = { multiPlatform: store, cacheExport: store, ociOutput: store, pushByDigest: false }
    return { ...hangOnStore, loopback: store && question.engineIsLocal }
  }
  const onHost = builder?.nodes.every((node) => node.driverOpts['network'] === 'host') ?? false
  return {
    multiPlatform: true,
    cacheExport: true,
    ociOutput: true,
    pushByDigest: true,
    loopback: driver === 'docker-container' && onHost && question.engineIsLocal,
  }
}

type Need = keyof BuilderNeeds

const LACK: Readonly<Record<Need, string>> = {
  multiPlatform: 'cannot build for several platforms',
  cacheExport: 'cannot export a cache',
  ociOutput: 'cannot write OCI archives',
  pushByDigest: 'cannot push by digest',
  loopback: 'cannot reach a registry on this machine',
}

function missing(needs: BuilderNeeds, can: Abilities): readonly Need[] {
  const order: readonly Need[] = ['multiPlatform', 'cacheExport', 'ociOutput', 'pushByDigest', 'loopback']
  return order.filter((need) => needs[need] && !can[need])
}

function useDecision(
  builder: BuilderFacts | undefined,
  can: Abilities,
  { needs, hasRegistryCache = false }: Pick<BuilderQuestion, 'needs' | 'hasRegistryCache'>,
  lacking: readonly Need[],
): BuilderDecision & { readonly kind: 'use' } {
  const driver = builder?.driver ?? 'docker'
  // With a registry for the cache, a builder elsewhere does all that can be asked of it.
  const told = lacking.filter((need) => need !== 'loopback' || !isElsewhere(driver) || !hasRegistryCache)
  return {
    ...{ kind: 'use', name: builder?.name, driver },
    loopback: needs.loopback && can.loopback,
    warnings: told.map((need) => lackWarning(need, { builder, driver, hasRegistryCache })),
  }
}

function lackWarning(
  need: Need,
  options: { readonly builder: BuilderFacts | undefined; readonly driver: string; readonly hasRegistryCache: boolean },
): Problem {
  const { builder, driver, hasRegistryCache } = options
  const message = `The builder ${describe(builder)} ${LACK[need]}`
  const input = 'builder'
  if (need !== 'loopback') {
    return { input, message: `${message}.`, mend: 'Use a docker-container builder (docker/setup-buildx-action).' }
  }
  const cache = hasRegistryCache ? '' : 'there is no layer cache in this run, and '
  const here = 'Create it with `driver-opts: network=host`, or let stage-build choose the builder'
  const registry = 'ame a registry for the cache: `cache-to: type=registry,ref=…,mode=max`'
  return {
    input,
    message: `${message}: ${cache}sizes come from what is pushed.`,
    mend: isElsewhere(driver) ? `N${registry}.` : hasRegistryCache ? `${here}.` : `${here}; or n${registry}.`,
  }
}

function describe(builder: BuilderFacts | undefined): string {
  return builder === undefined ? '`default`' : `\`${builder.name}\` (driver ${builder.driver})`
}

/** The specification is part of the name: a step that needs another builder never reuses this one. */
function ownBuilder(
  current: BuilderFacts | undefined,
  job: string,
): { readonly spec: NewBuilder; readonly config: string | undefined } {
  const node = current?.driver === 'docker-container' ? current.nodes[0] : undefined
  const parts = {
    driverOpts: { ...node?.driverOpts, network: 'host' },
    flags: node?.flags ?? [],
    endpoint: node?.endpoint,
  }
  const config = node?.config
  const digest = createHash('sha256')
    .update(JSON.stringify([job, parts, config]))
    .digest('hex')
  return { spec: { name: `${OWN_PREFIX}${digest.slice(0, 16)}`, ...parts }, config }
}
