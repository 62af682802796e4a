/** Prints of Dockerfiles' texts: what would be looked up is given as maps. */
import type { ResolveOptions } from '../../src/graph/resolve.ts'
import type { ContextRead } from '../../src/graph/stage-graph.ts'
import { digestOf, StagePrinter, type BuildOption, type StagePrint } from '../../src/plan/stage-print.ts'
import { printTarget, type ImageOptions, type TargetPrint } from '../../src/plan/target-print.ts'
import { resolveText } from './graph-outline.ts'

export interface PrintCase {
  readonly args?: Readonly<Record<string, string>>
  /** Name → digest; others have `sha256:NAME`. */
  readonly images?: Readonly<Record<string, string | undefined>>
  /** Path → content, of the build context or `NAME:/path` of a named one; others have none. */
  readonly files?: Readonly<Record<string, string>>
  /** Named contexts that stand for images: name → digest. */
  readonly contexts?: Readonly<Record<string, string | undefined>>
  readonly unreadable?: boolean
  readonly options?: readonly BuildOption[]
  readonly runOptions?: readonly BuildOption[]
  readonly platform?: string
  /** Name of the stage; default: the last. */
  readonly target?: string
  readonly resolve?: Partial<ResolveOptions>
  readonly image?: Partial<ImageOptions>
}

export const PLAIN: ImageOptions = {
  ...{ labels: [], annotations: [], provenance: undefined, sbom: undefined, attests: [], compression: 'gzip' },
  ...{
    outputs: [],
    buildArgs: {},
    dockerfileText: '',
    ignorePatterns: [],
    defaultAttestations: true,
    volatileLabels: [],
  },
  ...{ file: undefined, buildContexts: [], externalImages: [], network: undefined },
  ...{ addHosts: [], shmSize: undefined, ulimit: [], pull: false },
}

export interface Printed {
  readonly stages: readonly StagePrint[]
  /** The target's stage. */
  readonly stage: StagePrint
  readonly target: TargetPrint
}

/** Resolves a text and prints one target of it. @throws where it does not resolve */
export function printed(text: string, options: PrintCase = {}): Printed {
  const { args = {}, files = {}, images = {}, contexts = {}, platform = 'linux/amd64' } = options
  const { graph, errors, target } = resolveText(text, {
    ...{ buildArgs: args, platform, contexts: Object.keys(contexts), target: options.target },
    ...options.resolve,
  })
  if (graph === undefined || errors.length > 0) throw new Error(errors.map(({ message }) => message).join('; '))
  const read = ({ paths }: ContextRead, context: string | undefined): string | undefined =>
    options.unreadable === true
      ? undefined
      : digestOf(paths.map((path) => below(files, context === undefined ? path : `${context}:${path}`)))
  const printer = new StagePrinter(graph, () => ({
    imageDigest: (image) => (image in images ? images[image] : `sha256:${image}`),
    readDigest: read,
    contextDigest: (name) => contexts[name],
    options: options.options ?? [],
    runOptions: options.runOptions ?? [],
  }))
  const stages = printer.print(target ?? graph.defaultTarget)
  const stage = stages.at(-1)
  if (stage === undefined) throw new Error('nothing was printed')
  const image = { ...PLAIN, buildArgs: args, dockerfileText: text, ...options.image }
  return { stages, stage, target: printTarget([{ platform, stages }], image) }
}

function below(files: Readonly<Record<string, string>>, path: string): readonly (readonly [string, string])[] {
  return Object.entries(files).filter(([name]) => name === path || name.startsWith(path.replace(/\/?$/, '/')))
}
