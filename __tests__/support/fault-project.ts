/** A small project for builds under faults: its images hold the same whenever and however they are built. */
import { randomBytes, randomInt } from 'node:crypto'
import { readFile, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { docker, workspace, type Workspace } from './engine.ts'
import { contentOf } from './image-content.ts'
import { standInLines } from './step.ts'

export const TARGETS = ['prod', 'debug'] as const

const DOCKERFILE = `FROM alpine:3.22 AS deps
COPY deps /deps/
RUN seq 1 60000 > /deps/numbers
FROM deps AS build
COPY source /src/
RUN cat /src/source /deps/numbers | md5sum > /built
FROM alpine:3.22 AS prod
COPY --from=build /built /app/
COPY --from=deps /deps/deps /app/
RUN wc -c /app/* > /app/size
CMD ["cat", "/app/built"]
FROM build AS debug
RUN cat /built > /debug
ENV KIND=debug
`

/** Of which stages a run carries out steps: of all, of those that hang on the source, of none. */
export const ALL = ['build', 'debug', 'deps', 'prod']
export const CHANGED = ['build', 'debug', 'prod']
export const NONE: readonly string[] = []

/** Names of the stages of which steps were carried out, sorted. */
export function stagesRun({ log }: { readonly log: string }): readonly string[] {
  const lines = log.matchAll(/^✓ \[(\w+) \d+\/\d+\] (?!FROM ).* \d+\.\ds$/gm)
  return [...new Set([...lines].map(([, stage = '']) => stage))].sort()
}

export const INPUTS = {
  targets: TARGETS.join(','),
  outputs: 'type=oci,tar=false,dest=out/{target}',
  provenance: 'false',
}

export interface FaultProject extends Workspace {
  /** Gives the source another content. */
  change(): Promise<void>
}

/** By target, what its image holds. */
export type Contents = Readonly<Record<string, string>>

/** No two have a step in common, unless one is the copy of another. */
export async function faultProject(original?: Workspace): Promise<FaultProject> {
  const copied = async (name: string): Promise<string | undefined> =>
    original === undefined ? undefined : await readFile(original.path(name), 'utf8')
  const space = await workspace({ Dockerfile: DOCKERFILE, '.dockerignore': 'out\nplain\nplain.json\n' })
  const put = async (name: string, content: string): Promise<void> => {
    await space.write({ [name]: content })
    // BuildKit takes files of one size and time for the same, whatever folder of this name they are in.
    const time = randomInt(1e9)
    await utimes(space.path(name), time, time)
  }
  await put('deps', (await copied('deps')) ?? randomBytes(2_500_000).toString('base64'))
  await put('source', (await copied('source')) ?? randomBytes(9).toString('base64'))
  const change = async (): Promise<void> => {
    await put('source', randomBytes(9).toString('base64'))
  }
  return { ...space, change }
}

/** What the action's build left in `out`: the content of each image. */
export async function built(space: Workspace, targets: readonly string[] = TARGETS): Promise<Contents> {
  return await contents(space.path('out'), targets)
}

/** The same of a build that uses no cache and no action. */
export async function uncached(space: Workspace, targets: readonly string[] = TARGETS): Promise<Contents> {
  const [images = {}] = await allUncached([space], targets)
  return images
}

/** The same of several projects, in one build. */
export async function allUncached(
  spaces: readonly Workspace[],
  targets: readonly string[] = TARGETS,
): Promise<readonly Contents[]> {
  const [, base = ''] = /^alpine:3\.22=(.*)$/m.exec(standInLines()) ?? []
  const definitions = spaces.flatMap((space, at) =>
    targets.map((name): readonly [string, object] => [
      `p${at}-${name}`,
      {
        context: space.directory,
        target: name,
        contexts: { 'alpine:3.22': `docker-image://${base}` },
        output: [`type=oci,tar=false,dest=${space.path('plain', name)}`],
        attest: ['type=provenance,disabled=true'],
      },
    ]),
  )
  await using folder = await workspace({ 'plain.json': JSON.stringify({ target: Object.fromEntries(definitions) }) })
  for (const space of spaces) await rm(space.path('plain'), { recursive: true, force: true })
  const allow = ['--allow=fs.read=*', '--allow=fs.write=*']
  const names = definitions.map(([name]) => name)
  await docker('buildx', 'bake', '--no-cache', ...allow, `--file=${folder.path('plain.json')}`, ...names)
  return await Promise.all(spaces.map(async (space) => await contents(space.path('plain'), targets)))
}

async function contents(folder: string, targets: readonly string[]): Promise<Contents> {
  const pairs = targets.map(async (target) => [target, await contentOf(join(folder, target))] as const)
  return Object.fromEntries(await Promise.all(pairs))
}
