/** Buildx's print of bake files: unknown JSON → targets as they are, and what of them cannot be kept. Pure. */
import { isAbsolute, join } from 'node:path'
import type { Problem } from '../errors.ts'
import { entries, field, list } from '../json-fields.ts'
import { formatPlatform, HOST, namedPlatforms } from '../graph/platform.ts'
import { csvField } from './buildx.ts'
import type { Pair, SecretSource } from './build-request.ts'

/** A target as bake would build it. Paths are relative to the workspace. */
export interface BakeFileTarget {
  readonly name: string
  readonly context: string
  /** Relative to the context, unless it begins with `cwd://`. */
  readonly dockerfile: string
  /** The Dockerfile itself, in place of that. */
  readonly inline: string | undefined
  /** The stage; undefined: the last. */
  readonly stage: string | undefined
  readonly args: Readonly<Record<string, string>>
  readonly contexts: readonly Pair[]
  readonly platforms: readonly string[]
  readonly tags: readonly string[]
  readonly labels: readonly Pair[]
  readonly annotations: readonly string[]
  readonly secrets: readonly SecretSource[]
  readonly ssh: readonly string[]
  readonly outputs: readonly string[]
  readonly cacheFrom: readonly string[]
  readonly cacheTo: readonly string[]
  readonly attests: readonly string[]
  readonly pull: boolean
  readonly noCache: boolean
  readonly noCacheFilters: readonly string[]
  readonly network: string | undefined
  readonly addHosts: readonly string[]
  readonly shmSize: string | undefined
  readonly ulimits: readonly string[]
  readonly entitlements: readonly string[]
}

/** What is wrong with a target. */
export type TargetProblem = Problem & {
  readonly target: string
  /** Of a message that begins with the target, what comes behind its name. */
  readonly said?: string
}

/** A problem whose message begins with the target. @param said what comes behind its name: `: …`, ` has …` */
export function targetProblem(target: string, said: string, mend: string | undefined): TargetProblem {
  return { input: 'bake-files', target, said, message: `The bake target \`${target}\`${said}`, mend }
}

export interface BakeFileTargets {
  /** Also those that others are built from. */
  readonly targets: readonly BakeFileTarget[]
  /** Names of those that are asked for, in bake's order. */
  readonly asked: readonly string[]
  /** What of a target cannot be kept, by its name. */
  readonly refused: ReadonlyMap<string, readonly TargetProblem[]>
}

/** More than anybody has. */
const MOST = 10_000

const KNOWN = new Set([
  'context', 'dockerfile', 'target', 'args', 'contexts', 'platforms', 'tags', 'labels', 'annotations', 'secret', 'ssh',
  'output', 'cache-from', 'cache-to', 'attest', 'pull', 'no-cache', 'no-cache-filter', 'network', 'extra-hosts',
  'shm-size', 'ulimits', 'entitlements', 'description', 'call', 'dockerfile-inline', 'policy', 'inherits',
]) // prettier-ignore

/** Where and for whom bake has printed. */
export interface BakePlace {
  /** Of the step: a secret without a source is a variable, or a file. */
  readonly env: NodeJS.ProcessEnv
  /** The platform of the machine that this runs on. */
  readonly host?: string
  /** Where bake was run, relative to the workspace; '' is the workspace itself. */
  readonly base?: string
}

/** Reads the print. */
export function readBakeTargets(definition: unknown, place: BakePlace): BakeFileTargets {
  const found = entries(field(definition, 'target'), MOST)
  const names = new Set(found.map(([name]) => name))
  const groups = new Map(
    entries(field(definition, 'group'), MOST).map(([name, group]) => [name, texts(field(group, 'targets'))]),
  )
  const asked = new Set<string>()
  const entered = new Set<string>()
  const expand = (name: string): void => {
    const members = groups.get(name)
    if (names.has(name) && (members === undefined || entered.has(name))) asked.add(name)
    if (members === undefined || entered.has(name)) return
    entered.add(name)
    members.forEach(expand)
  }
  expand('default')
  return {
    targets: found.map(([name, value]) => readTarget(name, value, place)),
    asked: [...asked],
    refused: new Map(found.map(([name, value]) => [name, refusals(name, value)] as const).filter(([, all]) => all.length > 0)),
  } // prettier-ignore
}

function readTarget(
  name: string,
  value: unknown,
  { env, host = formatPlatform(HOST), base = '' }: BakePlace,
): BakeFileTarget {
  const from = (path: string): string => (base === '' || isAbsolute(path) ? path : join(base, path))
  const text = (key: string): string | undefined => textOf(field(value, key))
  const context = contextFrom(text('context') ?? '.', from)
  const dockerfile = text('dockerfile') ?? 'Dockerfile'
  const inline = text('dockerfile-inline')
  return {
    ...{ name, context, stage: text('target') },
    dockerfile: dockerfile.startsWith(CWD) ? contextFrom(dockerfile, from) : dockerfile,
    inline: inline === '' ? undefined : inline,
    args: Object.fromEntries(pairs(field(value, 'args')).map(({ key, value: given }) => [key, given])),
    contexts: pairs(field(value, 'contexts')).map(({ key, value: given }) => ({
      key,
      value: contextFrom(given, from),
    })),
    platforms: namedPlatforms(texts(field(value, 'platforms')), host),
    tags: texts(field(value, 'tags')),
    labels: pairs(field(value, 'labels')),
    annotations: texts(field(value, 'annotations')),
    secrets: list(field(value, 'secret')).map((secret) => secretOf(secret, env, from)),
    ssh: list(field(value, 'ssh')).map((agent) => sshOf(agent, from)),
    outputs: list(field(value, 'output')).map((output) => csvOf(output, from)),
    cacheFrom: list(field(value, 'cache-from')).map((cache) => csvOf(cache, from)),
    cacheTo: list(field(value, 'cache-to')).map((cache) => csvOf(cache, from)),
    attests: list(field(value, 'attest')).map((attest) => csvOf(attest)),
    pull: field(value, 'pull') === true,
    noCache: field(value, 'no-cache') === true,
    noCacheFilters: texts(field(value, 'no-cache-filter')),
    network: text('network'),
    addHosts: pairs(field(value, 'extra-hosts')).map(({ key, value: address }) => `${key}=${address}`),
    shmSize: text('shm-size'),
    ulimits: texts(field(value, 'ulimits')),
    entitlements: texts(field(value, 'entitlements')),
  }
}

/** What bake can say and this action cannot keep. */
function refusals(name: string, value: unknown): readonly TargetProblem[] {
  const refused = (what: string, mend: string): TargetProblem => targetProblem(name, ` ${what}.`, mend)
  const context = textOf(field(value, 'context')) ?? '.'
  const dockerfile = textOf(field(value, 'dockerfile')) ?? ''
  const call = textOf(field(value, 'call'))
  const unknown = entries(value, MOST).flatMap(([key]) => (KNOWN.has(key) ? [] : [key]))
  return [
    ...(isAddress(context)
      ? [refused(`has the context \`${context}\`, which is no directory`, 'Add `actions/checkout` for it, and give its directory as `context`.')]
      : []),
    ...(context.startsWith('target:')
      ? [refused(`has the context \`${context}\``, 'Name the other target among `contexts`, as in `contexts = { base = "target:base" }`.')]
      : []),
    ...(isAddress(dockerfile)
      ? [refused(`has the Dockerfile \`${dockerfile}\`, which is no file`, 'Add that file to the checkout, or fetch it in an earlier step, and give its path as `dockerfile`.')]
      : []),
    ...(call === undefined || call === 'build'
      ? []
      : [refused(`has \`call = "${call}"\`, and stage-build builds`, 'Remove `call`; to check a Dockerfile without building it use `mode: plan`.')]),
    ...(field(value, 'policy') === undefined
      ? []
      : [refused('has a `policy`, which stage-build would not keep', 'Remove `policy`, or build this target with docker/bake-action.')]),
    ...unknown.map((key) =>
      refused(`has \`${key}\`, which stage-build does not know`, 'Remove it, or build this target with docker/bake-action.'),
    ),
  ]
} // prettier-ignore

const CWD = 'cwd://'
const LAYOUT = 'oci-layout://'

/** A directory or an address, as the workspace has it. */
function contextFrom(context: string, from: (path: string) => string): string {
  for (const scheme of [CWD, LAYOUT]) {
    if (context.startsWith(scheme)) return `${scheme}${from(context.slice(scheme.length))}`
  }
  return isAddress(context) || context.startsWith('target:') ? context : from(context)
}

function isAddress(context: string): boolean {
  return /^(?:https?|git|ssh|docker-image|oci-layout):\/\/|^git@|^github\.com\//.test(context)
}

/** In its print bake writes `$${` and `%%{` for what shall not be read as a template again. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.replaceAll(/([$%])\1\{/g, '$1{') : undefined
}

function texts(value: unknown): readonly string[] {
  return list(value).flatMap((item) => textOf(item) ?? [])
}

function pairs(value: unknown): readonly Pair[] {
  return entries(value, MOST).flatMap(([key, item]) => {
    const text = textOf(item)
    return text === undefined ? [] : [{ key: textOf(key) ?? key, value: text }]
  })
}

/** `type=…,key=value`, the type first. @param from what makes a path of bake's one of the workspace's */
function csvOf(value: unknown, from?: (path: string) => string): string {
  const all = pairs(value)
  const isLocal = /^(?:local|tar|oci|docker)$/.test(all.find(({ key }) => key === 'type')?.value ?? '')
  const isPath = ({ key, value: text }: Pair): boolean => isLocal && /^(?:dest|src)$/.test(key) && text !== '-'
  return [...all]
    .sort((a, b) => Number(b.key === 'type') - Number(a.key === 'type'))
    .map((pair) => csvField(`${pair.key}=${from !== undefined && isPath(pair) ? from(pair.value) : pair.value}`))
    .join(',')
}

/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/secrets.go */
function secretOf(value: unknown, env: NodeJS.ProcessEnv, from: (path: string) => string): SecretSource {
  const [id = '', src, name] = ['id', 'src', 'env'].map((key) => textOf(field(value, key)))
  if (name !== undefined && name !== '') return { kind: 'env', id, env: name }
  if (src !== undefined && src !== '') return { kind: 'file', id, path: from(src) }
  return env[id] === undefined ? { kind: 'file', id, path: from(id) } : { kind: 'env', id, env: id }
}

function sshOf(value: unknown, from: (path: string) => string): string {
  const id = textOf(field(value, 'id')) ?? 'default'
  const paths = texts(field(value, 'paths'))
  return paths.length === 0 ? id : `${id}=${paths.map(from).join(',')}`
}
