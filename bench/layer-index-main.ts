/** Indexes the layer in the file that is named, and prints what it took. */
import { createReadStream } from 'node:fs'
import { contentOf } from '../src/measure/layer-nodes.ts'
import { layerFiles } from '../src/measure/layer-files.ts'
import { LayerIndexer } from '../src/measure/layer-index.ts'
import { visitMerged } from '../src/measure/layer-merge.ts'
import { readLayer } from '../src/measure/layer-reader.ts'

/** What is printed, as JSON. */
export interface IndexRun {
  readonly seconds: number
  readonly filesSeconds: number
  readonly entries: number
  readonly files: number
  readonly bytes: number
  readonly memory: number
}

const start = performance.now()
const indexer = new LayerIndexer()
const layer = createReadStream(process.argv[2] ?? '', { highWaterMark: 1 << 20 })
const { entries } = await readLayer(layer, { listener: indexer })
const index = indexer.finish()
if (index.files === undefined) throw new Error(index.reason)
const read = performance.now()
const files = layerFiles(index.files)
if ('reason' in files) throw new Error(files.reason)
const end = performance.now()

let count = 0
visitMerged([files.root], { enter: () => undefined, visit: () => (count += 1) }, undefined)
const run: IndexRun = {
  seconds: (end - start) / 1_000,
  filesSeconds: (end - read) / 1_000,
  entries,
  files: count,
  bytes: contentOf(files.root),
  memory: process.resourceUsage().maxRSS / 1024,
}
console.log(JSON.stringify(run))
