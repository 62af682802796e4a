/** Whether one exported cache says all that another says: then there is nothing to save. Pure. */
import { createHash } from 'node:crypto'
import type { CacheLayer, CacheRecord, TargetCache } from './cache-manifest.ts'

/** Order, times and numbering aside. */
export function covers(older: TargetCache, newer: TargetCache): boolean {
  const known = knowledgeOf(older)
  return [...knowledgeOf(newer)].every((fact) => known.has(fact))
}

/** Each record by what it stands for (its digest and those of what it is made from), with each of its results. */
function knowledgeOf({ config }: TargetCache): ReadonlySet<string> {
  const chains = chainsOf(config.layers)
  const facts = new Set<string>()
  const names = namesOf(config.records)
  for (const [index, record] of config.records.entries()) {
    const name = names[index] ?? ''
    for (const { layer } of record.layers ?? []) facts.add(`${name} ${chains.get(layer) ?? ''}`)
    for (const { layers } of record.chains ?? []) {
      facts.add(`${name} ${layers.reduce((chain, layer) => hash([chain, config.layers[layer]?.blob ?? '']), '')}`)
    }
  }
  return facts
}

/** Each layer by its blob and those of all layers beneath. */
function chainsOf(layers: readonly CacheLayer[]): ReadonlyMap<number, string> {
  const chains = new Map<number, string>()
  for (const start of layers.keys()) {
    const path: number[] = []
    const entered = new Set<number>()
    for (let at = start; at >= 0 && !chains.has(at) && !entered.has(at); at = layers[at]?.parent ?? -1) {
      entered.add(at)
      path.push(at)
    }
    for (const index of path.toReversed()) {
      const { parent = -1, blob = '' } = layers[index] ?? {}
      chains.set(index, hash([chains.get(parent) ?? '', blob]))
    }
  }
  return chains
}

/** Records are found by what they stand for, not by their number. In rounds, for links may lead anywhere. */
function namesOf(records: readonly CacheRecord[]): readonly string[] {
  const names: (string | undefined)[] = records.map(() => undefined)
  const visit = (root: number): void => {
    const stack = [root]
    const open = new Set<number>()
    for (let index = stack.at(-1); index !== undefined; index = stack.at(-1)) {
      const record = records[index]
      const links = [...new Set((record?.inputs ?? []).flat().map(({ link }) => link))]
      // A circle has no name of its own: what leads back is left open.
      const missing = open.has(index) ? [] : links.filter((link) => names[link] === undefined && !open.has(link))
      open.add(index)
      if (missing.length > 0) {
        stack.push(...missing)
        continue
      }
      const inputs = (record?.inputs ?? []).map((input) =>
        input.map(({ selector = '', link }) => `${selector}@${names[link] ?? ''}`).sort(),
      )
      names[index] ??= hash([record?.digest ?? '', ...inputs.map((input) => hash(input))])
      stack.pop()
    }
  }
  for (const index of records.keys()) if (names[index] === undefined) visit(index)
  return names.map((name) => name ?? '')
}

function hash(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
