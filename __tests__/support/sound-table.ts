/** What a run of the soundness test found, as text. */
import { isDeepStrictEqual } from 'node:util'
import type { Soundness, Wrong } from './sound-run.ts'

/** Kinds that may change the fingerprint though the engine's result is the same, and why that is accepted. */
export const ACCEPTED: ReadonlyMap<string, string> = new Map([
  [
    'compression',
    'layers that this engine has compressed already stay as they are; an engine without them makes others',
  ],
  ['directory: mode', 'an engine that knows the directory does not see that its mode alone changed; a fresh one does'],
])

export interface Figures {
  readonly mutations: number
  /** The engine's result was the same. */
  readonly equal: number
  /** Of these, the fingerprint differed. */
  readonly imprecise: number
  readonly wrong: number
}

export function figuresOf({ trials, wrong }: Soundness): Figures {
  const equal = trials.filter(({ differences }) => differences.length === 0)
  const imprecise = equal.filter(({ changed }) => changed)
  return { mutations: trials.length, equal: equal.length, imprecise: imprecise.length, wrong: wrong.length }
}

export function soundnessTable(found: Soundness): string {
  const { trials, refused } = found
  const kinds = [...new Set([...trials.map(({ kind }) => kind), ...refused.keys()])].sort()
  const rows = kinds.map((kind) => {
    const own = trials.filter((trial) => trial.kind === kind)
    const equal = own.filter(({ differences }) => differences.length === 0)
    const imprecise = equal.filter(({ changed }) => changed).length
    const why = imprecise === 0 ? '' : (ACCEPTED.get(kind) ?? 'not explained')
    const counts = [own.length, own.length - equal.length, equal.length, imprecise, refused.get(kind) ?? 0]
    return [kind.padEnd(60), ...counts.map((count) => String(count).padStart(9)), why].join(' ')
  })
  const head = ['mutations', 'differs', 'equal', 'imprecise', 'refused'].map((title) => title.padStart(9)).join(' ')
  const { mutations, equal, imprecise, wrong } = figuresOf(found)
  const share = ((100 * imprecise) / Math.max(1, equal)).toFixed(1)
  return [
    `${' '.repeat(60)} ${head}`,
    ...rows,
    `${mutations} mutations, ${wrong} wrong; ${equal} left the result equal, ${imprecise} of them (${share} %) changed the fingerprint`,
  ].join('\n')
}

/** All that is needed to see a wrong equality. */
export function wrongText({ number, example, kind, differences, before, now, images }: Wrong): string {
  const changed = Object.keys({ ...before.files, ...now.files }).filter(
    (path) => !isDeepStrictEqual(before.files[path], now.files[path]),
  )
  const parts = (['config', 'annotations', 'attestations'] as const).filter(
    (part) => images[0][part] !== images[1][part],
  )
  return [
    `WRONG: mutation ${number} (${kind}) of ${example}: ${differences.join('; ')}`,
    ...changed.map((path) => `  ${path}: ${JSON.stringify(before.files[path])} → ${JSON.stringify(now.files[path])}`),
    `  inputs: ${JSON.stringify(before.inputs)} → ${JSON.stringify(now.inputs)}`,
    before.dockerfile === now.dockerfile ? '' : `--- before\n${before.dockerfile}`,
    `--- now\n${now.dockerfile}`,
    ...parts.map((part) => `--- ${part}\n${lineDifference(images[0][part], images[1][part])}`),
  ].join('\n')
}

function lineDifference(before: string, now: string): string {
  const [old, current] = [before.split('\n'), now.split('\n')]
  const [gone, added] = [new Set(old), new Set(current)]
  return [
    ...old.filter((line) => !added.has(line)).map((line) => `- ${line}`),
    ...current.filter((line) => !gone.has(line)).map((line) => `+ ${line}`),
  ].join('\n')
}
