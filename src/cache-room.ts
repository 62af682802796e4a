/** What is told where `cache-max-size` left something out. */
import type { Problem } from './errors.ts'
import { formatBytes } from './measure/format.ts'
import { count } from './report/words.ts'

/** Warnings about what there was no room for. */
export function tooLarge(layerBytes: number, mounts: number): readonly Problem[] {
  const input = 'cache-max-size'
  const layers: Problem = {
    input,
    message: `Layers of ${formatBytes(layerBytes)} were left out of the layer cache: it would be larger than \`cache-max-size\`.`,
    mend: 'Raise `cache-max-size`, or make these layers smaller.',
  }
  const archives: Problem = {
    input,
    message: `${count(mounts, 'cache mount')} could not be saved beside the layers: the cache would be larger than \`cache-max-size\`.`,
    mend: 'Raise `cache-max-size`, or set `cache-mounts: off`.',
  }
  return [...(layerBytes === 0 ? [] : [layers]), ...(mounts === 0 ? [] : [archives])]
}
