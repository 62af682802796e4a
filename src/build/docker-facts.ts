/**
 * What the runner's docker is and can do: programs, engine, builders. Narrows docker's JSON and turns whatever is
 * missing into a problem with its mend. Asks docker through `buildx.ts`'s runner; decides nothing about builders.
 */
import type { Problem } from '../errors.ts'
import { list, parseJson } from '../json-fields.ts'
import { asRecord, textAt } from './json.ts'

/** The engine and the programs around it, as `docker info` tells them. */
export interface DockerFacts {
  readonly clientVersion: string
  /** Undefined where there is no engine, and none is needed. */
  readonly serverVersion: string | undefined
  readonly buildxVersion: string
  /** Images live in containerd: cache export, OCI output and several platforms work without a builder of one's own. */
  readonly containerdStore: boolean
  /** Platform of the engine, as in `linux/amd64`. */
  readonly platform: string
}

/** One builder, as `docker buildx ls` tells it. */
export interface BuilderFacts {
  readonly name: string
  readonly driver: string
  readonly current: boolean
  readonly nodes: readonly BuilderNode[]
}

export interface BuilderNode {
  readonly name: string
  readonly endpoint: string
  readonly driverOpts: Readonly<Record<string, string>>
  readonly flags: readonly string[]
  /** `buildkitd.toml`, decoded; undefined where the builder has none. */
  readonly config: string | undefined
  readonly platforms: readonly string[]
  readonly buildkitVersion: string | undefined
  /** What buildx says is wrong with the node. */
  readonly error: string | undefined
}

/** The oldest buildx that works: the first whose bake has `--allow fs=…`. https://github.com/docker/buildx/releases/tag/v0.19.0 */
export const OLDEST_BUILDX = '0.19.0'

const ADD_BUILDX = 'Add a `docker/setup-buildx-action` step before this one, or install the docker-buildx plugin.'

/** Only Linux runners can build Linux images with their own engine. */
export function checkPlatform(platform: NodeJS.Platform): readonly Problem[] {
  if (platform === 'linux') return []
  const names: Partial<Record<NodeJS.Platform, string>> = { darwin: 'macOS', win32: 'Windows' }
  return [
    {
      message: `This runner is ${names[platform] ?? platform}: images can be built on Linux runners only.`,
      mend: 'Use `runs-on: ubuntu-latest` for this job (`mode: plan` and `mode: report` run anywhere).',
    },
  ]
}

/** The problem of a docker program that is not there. */
export function dockerMissing(): Problem {
  return {
    message: 'The `docker` command was not found.',
    mend: 'Use a runner with Docker (GitHub’s ubuntu-latest has it), or install it: https://docs.docker.com/engine/install/.',
  }
}

/**
 * Reads `docker info --format '{{json .}}'`. It exits with 0 although the engine cannot be reached; what is wrong
 * then stands on stderr.
 */
export function readDockerInfo(
  stdout: string,
  stderr: string,
  { needsEngine }: { readonly needsEngine: boolean } = { needsEngine: true },
): DockerFacts | { readonly problems: readonly Problem[] } {
  const info = asRecord(parseJson(stdout))
  const client = asRecord(info?.['ClientInfo'])
  const buildx = list(client?.['Plugins'])
    .map(asRecord)
    .find((plugin) => textAt(plugin, 'Name') === 'buildx')
  const buildxVersion = textAt(buildx, 'Version')
  const serverVersion = textAt(info, 'ServerVersion')
  const isThere = serverVersion !== undefined && serverVersion !== ''
  const problems: Problem[] = []
  if (info !== undefined) problems.push(...checkBuildx(buildxVersion))
  if (!isThere && (needsEngine || info === undefined)) problems.push(unreachable(errorText(info, stderr)))
  if (problems.length > 0 || info === undefined) return { problems }
  return {
    clientVersion: textAt(client, 'Version') ?? 'unknown',
    serverVersion: isThere ? serverVersion : undefined,
    buildxVersion: buildxVersion ?? '',
    containerdStore: list(info['DriverStatus']).some(
      (pair) =>
        Array.isArray(pair) && pair[0] === 'driver-type' && String(pair[1]).startsWith('io.containerd.snapshotter'),
    ),
    platform: `${textAt(info, 'OSType') ?? 'linux'}/${goArchitecture(textAt(info, 'Architecture') ?? '')}`,
  }
}

function checkBuildx(version: string | undefined): readonly Problem[] {
  if (version === undefined) return [{ message: 'Docker has no buildx plugin.', mend: ADD_BUILDX }]
  if (compareVersions(version, OLDEST_BUILDX) >= 0) return []
  return [{ message: `buildx ${version} is too old: ${OLDEST_BUILDX} or newer is needed.`, mend: ADD_BUILDX }]
}

function errorText(info: Record<string, unknown> | undefined, stderr: string): string {
  const errors = list(info?.['ServerErrors']).filter((error) => typeof error === 'string')
  return [...errors, stderr.trim()].filter((text) => text !== '').join(' ')
}

/** The problem of an engine that does not answer, told from docker's own words. */
export function unreachable(text: string): Problem {
  const said = text.replaceAll(/\s+/g, ' ').trim()
  if (/permission denied/i.test(said)) {
    return {
      message: 'This user may not talk to the Docker engine (permission denied on its socket).',
      mend: 'Add the runner’s user to the docker group (`sudo usermod -aG docker "$USER"`) and restart the runner.',
    }
  }
  return {
    message: `The Docker engine cannot be reached${said === '' ? '.' : `: ${said}`}`,
    mend: 'Start it (`sudo systemctl start docker`), or point DOCKER_HOST at one that runs.',
  }
}

/** Reads `docker buildx ls --format json`: one JSON object a line. */
export function readBuilders(stdout: string): readonly BuilderFacts[] {
  return stdout
    .split('\n')
    .map((line) => asRecord(parseJson(line)))
    .filter((record) => record !== undefined)
    .map((record) => ({
      name: textAt(record, 'Name') ?? '',
      driver: textAt(record, 'Driver') ?? '',
      current: record['Current'] === true,
      nodes: list(record['Nodes']).map(readNode),
    }))
}

function readNode(value: unknown): BuilderNode {
  const node = asRecord(value) ?? {}
  const config = textAt(asRecord(node['Files']), 'buildkitd.toml')
  const opts = Object.entries(asRecord(node['DriverOpts']) ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  )
  return {
    name: textAt(node, 'Name') ?? '',
    endpoint: textAt(node, 'Endpoint') ?? '',
    driverOpts: Object.fromEntries(opts),
    flags: list(node['Flags']).filter((flag) => typeof flag === 'string'),
    config: config === undefined ? undefined : Buffer.from(config, 'base64').toString('utf8'),
    platforms: list(node['Platforms']).filter((platform) => typeof platform === 'string'),
    buildkitVersion: textAt(node, 'Version'),
    error: textAt(node, 'Err') ?? textAt(node, 'Error'),
  }
}

/** Compares the numbers of two versions (`v0.36.1`, `0.29.1+ds1`, `0.12.0-docker`); what follows them is left aside. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string): readonly number[] =>
    (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? '0').split('.').map(Number)
  const left = numbers(a)
  const right = numbers(b)
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return 0
}

/** The kernel's name for an architecture, as images name it. https://github.com/containerd/platforms/blob/v1.0.0/database.go#L76-L109 */
function goArchitecture(kernel: string): string {
  const names: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64', armv7l: 'arm/v7', i686: '386' }
  return names[kernel] ?? kernel
}
