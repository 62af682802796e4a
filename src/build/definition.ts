/**
 * The generated bake definition: one request → one definition in which every requested target is an entry, so that
 * one `docker buildx bake` builds them all and shared stages run once. Pure: what must be written, set or created
 * beside the definition is told in the plan. No secret is in the definition or on a command line.
 */
import { resolve } from 'node:path'
import type { Problem } from '../errors.ts'
import type { BuildRequest, BuildTarget, Pair } from './build-request.ts'
import { outputsOf } from './output-lines.ts'
import { SecretPlans } from './secret-lines.ts'

/** https://github.com/docker/buildx/blob/v0.29.1/docs/bake-reference.md#target */
export interface BakeTarget {
  readonly context: string
  readonly dockerfile?: string
  readonly 'dockerfile-inline'?: string
  readonly target?: string
  readonly args?: Readonly<Record<string, string>>
  readonly contexts?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: readonly string[]
  readonly platforms?: readonly string[]
  readonly output: readonly string[]
  readonly secret?: readonly string[]
  readonly ssh?: readonly string[]
  readonly attest?: readonly string[]
  readonly 'cache-from'?: readonly string[]
  readonly 'cache-to'?: readonly string[]
  readonly pull?: boolean
  readonly 'no-cache'?: boolean
  readonly 'no-cache-filter'?: readonly string[]
  readonly network?: string
  readonly 'extra-hosts'?: Readonly<Record<string, string>>
  readonly entitlements?: readonly string[]
  readonly 'shm-size'?: string
  readonly ulimits?: readonly string[]
}

export interface BakeDefinition {
  readonly target: Readonly<Record<string, BakeTarget>>
}

export interface NamedTarget {
  readonly id: string
  readonly name: string
}

/** Everything that one bake run needs. */
export interface BakePlan {
  readonly definition: BakeDefinition
  /** Bake's name of each target beside the user's. */
  readonly targets: readonly NamedTarget[]
  /** The same of targets that are built for others only. */
  readonly linked: readonly NamedTarget[]
  /** `--allow` */
  readonly allow: readonly string[]
  /** Secrets' values, for the child's environment only. */
  readonly env: Readonly<Record<string, string>>
  /** Secrets too long for an environment variable; paths are relative to the run's private directory. */
  readonly files: readonly { readonly path: string; readonly content: string }[]
  readonly directories: readonly string[]
  readonly warnings: readonly Problem[]
}

/** @param privateDir a directory that only this user can read, made before the run and removed after it. */
export function planBake(request: BuildRequest, privateDir: string): BakePlan {
  const asked = request.targets
  const linked = linkedTargets(request)
  const everything = [...asked, ...linked]
  const ids = bakeIds(everything.map((target) => target.name))
  const idOf = new Map(everything.map(({ name }, index) => [name, ids[index] ?? name]))
  const optionsOf = (target: BuildTarget): BuildRequest => ({
    ...{ ...request, ...target.own },
    ...(target.dockerfile === undefined ? {} : { dockerfile: target.dockerfile, dockerfileInline: undefined }),
  })
  const secrets = new SecretPlans(request.workspace, privateDir)
  const outputs = asked.map((target) => outputsOf(target, optionsOf(target)))
  const entries = everything.map((target, index) => {
    const options = optionsOf(target)
    const ofTarget = (line: string): string => line.replaceAll('{target}', target.name.toLowerCase())
    const cacheFrom = [...(options.cacheFrom ?? []).map(ofTarget), ...(target.cacheFrom ?? [])]
    const cacheTo = [...(options.cacheTo ?? []).map(ofTarget), ...(target.cacheTo ?? [])]
    const entry: BakeTarget = {
      ...commonPart(options, { secrets: secrets.of(options.secrets ?? []), links: linksOf(target, idOf) }),
      ...(target.stage === undefined ? {} : { target: target.stage }),
      output: outputs[index]?.lines ?? ['type=cacheonly'],
      ...list('cache-from', cacheFrom),
      ...list('cache-to', index < asked.length ? cacheTo : []),
    }
    return [ids[index] ?? target.name, entry] as const
  })
  const named = everything.map(({ name }, index) => ({ id: ids[index] ?? name, name }))
  return {
    definition: escapeTemplates({ target: Object.fromEntries(entries) }),
    targets: named.slice(0, asked.length),
    linked: named.slice(asked.length),
    allow: [...new Set(everything.flatMap((target) => allowances(optionsOf(target))))],
    env: secrets.env,
    files: secrets.files,
    directories: [...new Set(outputs.flatMap((output) => output.directories))],
    warnings: request.cgroupParent === undefined ? [] : [CGROUP_PARENT],
  }
}

/** The targets that those of this run are built from and that it does not build for themselves, with their cached layers. */
function linkedTargets({ targets, linked = [] }: BuildRequest): readonly BuildTarget[] {
  const asked = new Set(targets.map(({ name }) => name))
  const found = new Map<string, Set<string>>()
  const follow = ({ links }: BuildTarget, cacheFrom: readonly string[]): void => {
    for (const name of links?.values() ?? []) {
      const known = found.get(name) ?? new Set<string>()
      found.set(name, known)
      for (const line of cacheFrom) known.add(line)
      const next = linked.find((target) => target.name === name)
      if (next !== undefined) follow(next, cacheFrom)
    }
  }
  for (const target of targets) follow(target, target.cacheFrom ?? [])
  return linked.flatMap((target) => {
    const cacheFrom = found.get(target.name)
    return cacheFrom === undefined || asked.has(target.name) ? [] : [{ ...target, cacheFrom: [...cacheFrom] }]
  })
}

/** The named contexts that are targets, in bake's words. https://github.com/docker/buildx/blob/v0.29.1/docs/bake-reference.md#targetcontexts */
function linksOf({ links }: BuildTarget, idOf: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...(links ?? [])].map(([key, name]) => [key, `target:${idOf.get(name) ?? name}`]))
}

/** Names for bake, which knows fewer letters than Dockerfiles do (no dots); unique, in the order given. */
export function bakeIds(names: readonly string[]): readonly string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    const base = name.replaceAll(/[^a-zA-Z0-9_-]/g, '_') || 'target'
    let id = base
    for (let n = 2; taken.has(id); n++) id = `${base}_${n}`
    taken.add(id)
    return id
  })
}

const CGROUP_PARENT: Problem = {
  input: 'cgroup-parent',
  message: '`cgroup-parent` has no effect: bake cannot set it.',
  mend: 'Give it to the builder instead (docker/setup-buildx-action with `driver-opts: cgroup-parent=…`).',
}

function commonPart(
  request: BuildRequest,
  { secrets, links }: { readonly secrets: readonly string[]; readonly links: ReadonlyMap<string, string> },
): Omit<BakeTarget, 'output'> {
  const contexts = [
    ...(request.buildContexts ?? []).map(({ key, value }) => [
      contextName(key),
      links.get(key) ?? contextSource(value, request.workspace),
    ]),
    ...(request.ociContexts ?? []).map(({ key, value }) => [contextName(key), value]),
  ] as const
  const hosts = hostsOf(request.addHosts ?? [])
  const args = request.buildArgs ?? {}
  const attests = [
    ...canonicalAttest('provenance', request.provenance),
    ...canonicalAttest('sbom', request.sbom),
    ...(request.attests ?? []),
  ]
  const granted = (request.allow ?? []).filter((entitlement) => !/^(?:fs|image|ssh)\b/.test(entitlement))
  return {
    context: request.contextDir,
    ...(request.dockerfile === undefined ? {} : { dockerfile: request.dockerfile }),
    ...(request.dockerfileInline === undefined ? {} : { 'dockerfile-inline': request.dockerfileInline }),
    ...(Object.keys(args).length === 0 ? {} : { args }),
    ...(contexts.length === 0 ? {} : { contexts: Object.fromEntries(contexts) as Record<string, string> }),
    ...((request.labels ?? []).length === 0 ? {} : { labels: pairs(request.labels ?? []) }),
    ...list('annotations', request.annotations),
    ...list('platforms', request.platforms),
    ...list('secret', secrets),
    ...list('ssh', request.ssh),
    ...list('attest', attests),
    ...(request.pull === true ? { pull: true } : {}),
    ...(request.noCache === true ? { 'no-cache': true } : {}),
    ...list('no-cache-filter', request.noCacheFilters),
    ...(request.network === undefined ? {} : { network: request.network }),
    ...(hosts.size === 0 ? {} : { 'extra-hosts': Object.fromEntries(hosts) }),
    ...list('entitlements', granted),
    ...(request.shmSize === undefined ? {} : { 'shm-size': request.shmSize }),
    ...list('ulimits', request.ulimit),
  }
}

/** Of a host with several addresses all, in bake's form: https://github.com/docker/buildx/blob/v0.29.1/build/utils.go (toBuildkitExtraHosts) */
function hostsOf(lines: readonly string[]): ReadonlyMap<string, string> {
  const hosts = new Map<string, string>()
  for (const line of lines) {
    const [host = '', address = ''] = line.split(/[:=](.*)/s, 2)
    const known = hosts.get(host)
    hosts.set(host, known === undefined ? address : `${known},${address}`)
  }
  return hosts
}

/**
 * Bake asks before it reads or writes outside the working directory, opens sockets or grants entitlements. The
 * definition says nothing but what the workflow's author wrote, so all that it names is allowed.
 */
function allowances(request: BuildRequest): readonly string[] {
  const host = request.network === 'host' ? ['network.host'] : []
  const ssh = (request.ssh ?? []).length > 0 ? ['ssh'] : []
  return [...new Set(['fs=*', ...ssh, ...host, ...(request.allow ?? [])])]
}

/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/attests.go (CanonicalizeAttest) */
function canonicalAttest(type: string, value: string | undefined): readonly string[] {
  if (value === undefined || value === '') return []
  if (/^(?:1|t|true)$/i.test(value)) return [`type=${type},disabled=false`]
  if (/^(?:0|f|false)$/i.test(value)) return [`type=${type},disabled=true`]
  return [`type=${type},${value}`]
}

/** A named context is found by its short name. https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerui/namedcontext.go */
export function contextName(key: string): string {
  const short = key.replace(/^docker\.io\/(?:library\/)?/, '')
  return short.replace(/:latest$/, '')
}

/** Whether a context is somewhere else than in a directory of this machine. */
export function isAddress(context: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:|git@)/.test(context)
}

function contextSource(value: string, workspace: string): string {
  return isAddress(value) ? value : resolve(workspace, value)
}

function pairs(list: readonly Pair[]): Record<string, string> {
  return Object.fromEntries(list.map(({ key, value }) => [key, value]))
}

/** The entry, or nothing where the list is empty. */
function list<K extends string>(
  key: K,
  values: readonly string[] | undefined,
): { readonly [key in K]?: readonly string[] } {
  return values === undefined || values.length === 0 ? {} : ({ [key]: values } as Record<K, readonly string[]>)
}

/** Bake reads strings as HCL templates; `${` and `%{` are written so that they stand for themselves. */
function escapeTemplates<T>(value: T): T {
  const text = (plain: string): string => plain.replaceAll(/[$%](?=\{)/g, (sign) => sign + sign)
  const walk = (node: unknown): unknown => {
    if (typeof node === 'string') return text(node)
    if (Array.isArray(node)) return node.map(walk)
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(Object.entries(node).map(([key, child]) => [text(key), walk(child)]))
  }
  return walk(value) as T
}
