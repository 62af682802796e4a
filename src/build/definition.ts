/**
 * The generated bake definition: one request → one definition in which every requested target is an entry, so that
 * one `docker buildx bake` builds them all and shared stages run once. Pure: what must be written, set or created
 * beside the definition is told in the plan. No secret is in the definition or on a command line.
 */
import { join, resolve } from 'node:path'
import type { Problem } from '../errors.ts'
import { csvField } from './buildx.ts'
import type { BuildRequest, Pair, SecretSource } from './build-request.ts'
import { outputsOf } from './output-lines.ts'

/** https://github.com/docker/buildx/blob/v0.29.1/docs/bake-reference.md#target */
export interface BakeTarget {
  readonly context: string
  readonly dockerfile: string
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

/** Everything that one bake run needs. */
export interface BakePlan {
  readonly definition: BakeDefinition
  /** Bake's name of each target beside the user's. */
  readonly targets: readonly { readonly id: string; readonly name: string }[]
  /** `--allow` */
  readonly allow: readonly string[]
  /** Secrets' values, for the child's environment only. */
  readonly env: Readonly<Record<string, string>>
  /** Secrets too long for an environment variable; paths are relative to the run's private directory. */
  readonly files: readonly { readonly path: string; readonly content: string }[]
  readonly directories: readonly string[]
  readonly warnings: readonly Problem[]
}

/** Linux refuses longer strings in an environment (MAX_ARG_STRLEN, 128 KiB); the variable's name counts. */
const LONGEST_VARIABLE = 120 * 1024

/** @param privateDir a directory that only this user can read, made before the run and removed after it. */
export function planBake(request: BuildRequest, privateDir: string): BakePlan {
  const ids = bakeIds(request.targets.map((target) => target.name))
  const targets = request.targets.map((target, index) => ({ target, id: ids[index] ?? target.name }))
  const secrets = planSecrets(request.secrets ?? [], request.workspace, privateDir)
  const outputs = targets.map(({ target }) => outputsOf(target, request))
  const common = commonPart(request, secrets.lines)
  const entries = targets.map(({ target, id }, index) => {
    const ofTarget = (line: string): string => line.replaceAll('{target}', target.name.toLowerCase())
    const cacheFrom = [...(request.cacheFrom ?? []).map(ofTarget), ...(target.cacheFrom ?? [])]
    const cacheTo = [...(request.cacheTo ?? []).map(ofTarget), ...(target.cacheTo ?? [])]
    const entry: BakeTarget = {
      ...common,
      ...(target.dockerfile === undefined ? {} : { dockerfile: target.dockerfile }),
      ...(target.stage === undefined ? {} : { target: target.stage }),
      output: outputs[index]?.lines ?? [],
      ...list('cache-from', cacheFrom),
      ...list('cache-to', cacheTo),
    }
    return [id, entry] as const
  })
  return {
    definition: escapeTemplates({ target: Object.fromEntries(entries) }),
    targets: targets.map(({ target, id }) => ({ id, name: target.name })),
    allow: allowances(request),
    env: secrets.env,
    files: secrets.files,
    directories: [...new Set(outputs.flatMap((output) => output.directories))],
    warnings: request.cgroupParent === undefined ? [] : [CGROUP_PARENT],
  }
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

function commonPart(request: BuildRequest, secrets: readonly string[]): Omit<BakeTarget, 'output'> {
  const contexts = [
    ...(request.buildContexts ?? []).map(({ key, value }) => [
      contextName(key),
      contextSource(value, request.workspace),
    ]),
    ...(request.ociContexts ?? []).map(({ key, value }) => [contextName(key), value]),
  ] as const
  const hosts = (request.addHosts ?? []).map((line) => line.split(/[:=](.*)/s, 2))
  const args = request.buildArgs ?? {}
  const attests = [
    ...canonicalAttest('provenance', request.provenance),
    ...canonicalAttest('sbom', request.sbom),
    ...(request.attests ?? []),
  ]
  const granted = (request.allow ?? []).filter((entitlement) => !/^(?:fs|image|ssh)\b/.test(entitlement))
  return {
    context: request.contextDir,
    dockerfile: request.dockerfile,
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
    ...(hosts.length === 0 ? {} : { 'extra-hosts': Object.fromEntries(hosts) as Record<string, string> }),
    ...list('entitlements', granted),
    ...(request.shmSize === undefined ? {} : { 'shm-size': request.shmSize }),
    ...list('ulimits', request.ulimit),
  }
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

function contextSource(value: string, workspace: string): string {
  return /^(?:[a-z][a-z0-9+.-]*:|git@)/.test(value) ? value : resolve(workspace, value)
}

interface PlannedSecrets {
  readonly lines: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly files: BakePlan['files']
}

function planSecrets(secrets: readonly SecretSource[], workspace: string, privateDir: string): PlannedSecrets {
  const env: Record<string, string> = {}
  const files: { path: string; content: string }[] = []
  const lines = secrets.map((secret, index) => {
    const id = csvField(`id=${secret.id}`)
    if (secret.kind === 'env') return `type=env,${id},${csvField(`env=${secret.env}`)}`
    if (secret.kind === 'file') return `type=file,${id},${csvField(`src=${resolve(workspace, secret.path)}`)}`
    if (Buffer.byteLength(secret.value) > LONGEST_VARIABLE || secret.value.includes('\0')) {
      const path = `secret-${index}`
      files.push({ path, content: secret.value })
      return `type=file,${id},${csvField(`src=${join(privateDir, path)}`)}`
    }
    const name = `STAGE_BUILD_SECRET_${index}`
    env[name] = secret.value
    return `type=env,${id},env=${name}`
  })
  return { lines, env, files }
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
