/** What a builder that does not reach this machine's loopback keeps from being told or done, and what it would take. Pure. */
import type { ReadyBuilder } from './build/own-builder.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { Inputs } from './inputs.ts'
import { formatBytes } from './measure/format.ts'
import { mountUses } from './mounts/mount-uses.ts'
import { READ_BACK_BYTES } from './pushed-layers.ts'
import { registryRefs } from './registry-cache.ts'
import type { Missing } from './report/missing.ts'
import { count, list } from './report/words.ts'

export interface MissingQuestion {
  readonly inputs: Inputs
  readonly builder: Pick<ReadyBuilder, 'name' | 'driver' | 'loopback'>
  /** Copies of the images came to this machine. */
  readonly isReached: boolean
  readonly graph: StageGraph
  /** Stages of the targets. */
  readonly stages: readonly number[]
  /** Names of targets that are built and of which no size is known. */
  readonly unmeasured: readonly string[]
  /** Something was pushed to where the user said. */
  readonly isPushed: boolean
  /** Layers that are not read back, and their bytes. */
  readonly unread: { readonly layers: number; readonly bytes: number }
}

const NAMES = 8

/** Empty where the builder does all. */
export function missingHere(question: MissingQuestion): readonly Missing[] {
  if (question.isReached) return []
  return [...cacheRows(question), ...sizeRows(question), ...mountRows(question)]
}

function cacheRows({ inputs, builder }: MissingQuestion): readonly Missing[] {
  const refs = registryRefs([...inputs.cacheTo, ...inputs.cacheFrom])
  if (refs.length > 0) {
    const where = list(
      refs.map((ref) => `\`${ref}\``),
      NAMES,
    )
    const why = `BuildKit itself keeps the cache in ${where}`
    return [{ what: 'Age and bytes of the cache that was used and saved', why, need: undefined }]
  }
  if (inputs.cache === 'off' || inputs.cacheTo.length + inputs.cacheFrom.length > 0) return []
  const name = builder.name === undefined ? 'this builder' : `the builder \`${builder.name}\``
  return [
    {
      what: 'The layer cache',
      why: `${name} (driver ${builder.driver}) cannot reach the registry that this step serves on the runner’s loopback`,
      need: 'a registry for the cache: `cache-to: type=registry,ref=REGISTRY/cache:{target},mode=max`',
    },
  ]
}

function sizeRows({ unmeasured, isPushed, unread }: MissingQuestion): readonly Missing[] {
  const rows: Missing[] = []
  if (unmeasured.length > 0) {
    const names = list(
      unmeasured.map((name) => `\`${name}\``),
      NAMES,
    )
    rows.push(
      isPushed
        ? {
            what: `Sizes of ${names}`,
            why: 'what was pushed could not be read from the registry',
            need: 'a login for that registry in this job (docker/login-action)',
          }
        : {
            what: `Sizes of ${names}`,
            why: 'the image is on the builder only: no copy came to the runner, and none was pushed',
            need: '`push: true` with `tags`',
          },
    )
  }
  if (unread.layers > 0) {
    rows.push({
      what: `Unpacked sizes and files of ${count(unread.layers, 'layer')} (${formatBytes(unread.bytes)})`,
      why: `layers that were pushed are read back from the registry, and of one run no more than ${formatBytes(READ_BACK_BYTES)}`,
      need: 'smaller layers, or a builder that reaches the runner’s loopback',
    })
  }
  return rows
}

function mountRows({ inputs, builder, graph, stages }: MissingQuestion): readonly Missing[] {
  const isKept = !builder.loopback && inputs.cache !== 'off' && inputs.cacheMounts !== 'off'
  if (!isKept || mountUses(graph, stages, '').kept.length === 0) return []
  return [
    {
      what: 'Cache mounts of earlier runs',
      why: 'they are kept with the layer cache; a builder that lives on keeps its own',
      need: 'a builder that reaches the runner’s loopback',
    },
  ]
}
