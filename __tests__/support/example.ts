/** The examples as the demo and the tests see them: `examples/NAME/example.json`, with this machine's registry and images. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { REPOSITORY } from './action.ts'

export interface ExampleStep {
  readonly with: Readonly<Record<string, string>>
  /** For Dockerfiles that are broken, or a RUN that fails, on purpose: what the action says, and the line it says it of. */
  readonly fails?: { readonly line: number; readonly message: string } | undefined
}

export interface Example {
  readonly name: string
  readonly title: string
  readonly steps: readonly ExampleStep[]
}

/** Where the examples are pushed to, and where the images that they name come from. */
export interface ExampleSite {
  /** HOST:PORT of a registry that the engine can push to. */
  readonly registry: string
  /** Lines `NAME=REF`; empty where the images' own registries can be reached. */
  readonly externalImages: string
}

/** The site that script/with-engine describes in the environment. */
export function exampleSite(env: NodeJS.ProcessEnv): ExampleSite {
  const registry = env['STAGE_BUILD_REGISTRY']
  if (registry === undefined) throw new Error('STAGE_BUILD_REGISTRY is not set: run this through script/with-engine')
  return { registry, externalImages: env['STAGE_BUILD_EXTERNAL_IMAGES'] ?? '' }
}

/** In the order in which the documents show them, the broken ones last. */
const ORDER = [
  'href-counter',
  'href-counter-named',
  'helloworld',
  'base-builder-final',
  'node-nginx',
  'stop-at-a-stage',
  'external-image',
  'partial-success',
  'cache-mounts',
  'monorepo',
  'remote-builder',
  'platforms',
  'broken',
]

/** Every folder of `examples/` that has an `example.json`, with `$REGISTRY` and the external images filled in. */
export async function readExamples(site: ExampleSite): Promise<readonly Example[]> {
  const folder = join(REPOSITORY, 'examples')
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory() && entry.name !== 'workflows').map((entry) => entry.name)
  const rank = (name: string): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length)
  names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
  return await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name, 'example.json'), 'utf8')
      const { title, steps } = JSON.parse(text.replaceAll('$REGISTRY', site.registry)) as Omit<Example, 'name'>
      return { name, title, steps: steps.map((step) => ({ ...step, with: withImages(step.with, site) })) }
    }),
  )
}

/** The step's own external images come first: they are what the example is about. */
function withImages(inputs: ExampleStep['with'], site: ExampleSite): ExampleStep['with'] {
  const lines = [inputs['external-images'] ?? '', site.externalImages].map((text) => text.trim())
  return { ...inputs, 'external-images': lines.filter((text) => text !== '').join('\n') }
}
