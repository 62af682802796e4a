/** Builds Dockerfiles for the oracle: many targets in one bake run, results kept nowhere, provenance in the metadata file. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runProcess } from '../../src/process.ts'

export interface OracleTarget {
  readonly name: string
  readonly dockerfile: string
  /** An absolute directory; when absent, a small one made for the oracle. */
  readonly context?: string | undefined
  readonly target?: string | undefined
  readonly args?: Readonly<Record<string, string>> | undefined
  readonly platform?: string | undefined
  /** Directories are relative to the oracle's own. */
  readonly contexts?: Readonly<Record<string, string>> | undefined
}

const CONTEXT_FILES = {
  'context/f': 'f\n',
  'context/g': 'g\n',
  'context/dir/a.txt': 'a\n',
  'dir-context/f': 'a file of the named context\n',
}

/** Lines `NAME=REF` → reference asked for, normalised → reference built from. */
export function imageMap(lines: string): ReadonlyMap<string, string> {
  const pairs = lines.split('\n').filter((line) => line.includes('='))
  return new Map(
    pairs.map((line) => {
      const at = line.indexOf('=')
      return [`docker.io/library/${line.slice(0, at).trim()}`, line.slice(at + 1).trim()]
    }),
  )
}

/** A directory for one oracle run: contexts, Dockerfiles, source policy. Removed by `dispose`. */
export async function oracleBench(
  images: ReadonlyMap<string, string>,
): Promise<{ readonly directory: string; readonly env: NodeJS.ProcessEnv; readonly dispose: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'stage-build-oracle-'))
  for (const [name, text] of Object.entries(CONTEXT_FILES)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  const rules = [...images].map(([name, reference]) => ({
    action: 'CONVERT',
    selector: { identifier: `docker-image://${name}` },
    updates: { identifier: `docker-image://${reference}` },
  }))
  const policy = join(directory, 'policy.json')
  await writeFile(policy, JSON.stringify({ rules }))
  return {
    directory,
    env: { ...process.env, EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: policy, BUILDX_METADATA_PROVENANCE: 'max' },
    dispose: () => rm(directory, { recursive: true, force: true }),
  }
}

type Bench = Awaited<ReturnType<typeof oracleBench>>

/** Builds all targets in one run and gives each one's provenance. @throws Error with buildx's words when one fails. */
export async function bakeForProvenance(
  bench: Bench,
  targets: readonly OracleTarget[],
): Promise<ReadonlyMap<string, unknown>> {
  const definition: Record<string, unknown> = {}
  for (const target of targets) {
    const dockerfile = join(bench.directory, `${target.name}.Dockerfile`)
    await writeFile(dockerfile, target.dockerfile)
    definition[target.name] = {
      context: target.context ?? join(bench.directory, 'context'),
      dockerfile,
      output: ['type=cacheonly'],
      args: target.args,
      target: target.target,
      platforms: target.platform === undefined ? undefined : [target.platform],
      contexts: Object.fromEntries(
        Object.entries(target.contexts ?? {}).map(([name, value]) => [
          name,
          value.includes('://') ? value : join(bench.directory, value),
        ]),
      ),
    }
  }
  const file = join(bench.directory, 'bake.json')
  const metadata = join(bench.directory, 'metadata.json')
  await writeFile(
    file,
    JSON.stringify({ group: { default: { targets: Object.keys(definition) } }, target: definition }),
  )
  const args = ['buildx', 'bake', '--file', file, '--metadata-file', metadata, '--progress=plain', '--allow=fs.read=*']
  const { code, stderr } = await runProcess('docker', args, { env: bench.env })
  if (code !== 0) throw new Error(`docker buildx bake failed (${code ?? 'killed'}):\n${stderr.slice(-4000)}`)
  const results = JSON.parse(await readFile(metadata, 'utf8')) as Readonly<Record<string, Record<string, unknown>>>
  return new Map(
    targets.map(({ name }) => {
      const provenance = results[name]?.['buildx.build.provenance']
      if (provenance === undefined) throw new Error(`${name}: no provenance in ${JSON.stringify(results[name])}`)
      return [name, provenance]
    }),
  )
}

/** Builds an image and pushes it under each reference, for Dockerfiles that name it. */
export async function pushForOracle(
  bench: Bench,
  {
    context,
    file,
    references,
  }: { readonly context: string; readonly file: string; readonly references: readonly string[] },
): Promise<void> {
  const args = [
    'buildx',
    'build',
    '--progress=plain',
    '--push',
    ...references.flatMap((each) => ['--tag', each]),
    '--file',
    file,
    context,
  ]
  const { code, stderr } = await runProcess('docker', args, { env: bench.env })
  if (code !== 0)
    throw new Error(`${references.join(', ')} could not be built (${code ?? 'killed'}):\n${stderr.slice(-4000)}`)
}

/** Builds one Dockerfile that must fail, and gives BuildKit's message without what buildx puts in front; undefined if it built. */
export async function buildError(bench: Bench, target: OracleTarget): Promise<string | undefined> {
  const dockerfile = join(bench.directory, `${target.name}.Dockerfile`)
  await writeFile(dockerfile, target.dockerfile)
  const options = [
    ...(target.target === undefined ? [] : ['--target', target.target]),
    ...Object.entries(target.args ?? {}).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
  ]
  const context = target.context ?? join(bench.directory, 'context')
  const args = [
    'buildx',
    'build',
    '--progress=quiet',
    '--output=type=cacheonly',
    '--file',
    dockerfile,
    ...options,
    context,
  ]
  const { code, stderr } = await runProcess('docker', args, { env: bench.env })
  if (code === 0) return undefined
  const message = /ERROR: (?:failed to (?:build|solve|run Build function): )*([^\n]*)/.exec(stderr)?.[1]
  if (message === undefined) throw new Error(`${target.name}: no error in what buildx printed:\n${stderr}`)
  return message
}
