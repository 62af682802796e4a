/**
 * Which directories explain how a tree of files changed: few of them, as far down as the change goes. What grew and what
 * shrank elsewhere both count, so that they do not hide each other; and the paths that are told explain the difference
 * of the whole, too.
 */
import type { PathChange } from './comparison.ts'
import type { FileTree } from './file-tree.ts'

/** Of the bytes that changed, and of the difference. */
const EXPLAINED = 0.9
/** Of the bytes that changed: a difference that nobody asks about, where as much came as went. */
const NEGLIGIBLE = 0.02
const MAX_PATHS = 10
/** How many paths may take the place of the directory that they are in. */
const MAX_SPLIT = 4
/** What may have been folded on the other side, of what stands alone on one: more, and nobody knows what it was there. */
const MAX_DOUBT = 0.1

interface Delta {
  readonly path: string
  readonly now: number
  readonly before: number
  /** Bytes that came and bytes that went, beneath. */
  readonly moved: number
  /** Only one of the trees has it. */
  readonly isOneSided: boolean
  /** What is known of what is in it, the largest change first. */
  readonly parts: readonly Delta[]
}

/** The changes, the largest first; ten at most. Pure and the same for the same trees. */
export function changedPaths(before: FileTree, now: FileTree): readonly PathChange[] {
  const root = delta('', before, now)
  if (root.moved === 0) return []
  let chosen: readonly Delta[] = [root]
  const kept = new Set<Delta>()
  for (;;) {
    const largest = chosen.filter((one) => !kept.has(one)).toSorted(byMoved)[0]
    if (largest === undefined) break
    const others = chosen.filter((one) => one !== largest)
    const parts = split(largest, others, root)
    if (parts === undefined) kept.add(largest)
    else chosen = [...others, ...parts]
  }
  return chosen
    .toSorted((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before) || byMoved(a, b))
    .map(({ path, now: bytes, before: bytesBefore }) => ({ path, now: bytes, before: bytesBefore }))
}

/** The fewest parts of a directory that explain enough together with the others; undefined where it takes too many. */
function split(one: Delta, others: readonly Delta[], root: Delta): readonly Delta[] | undefined {
  const isRoot = one === root
  const most = isRoot ? MAX_PATHS : Math.min(MAX_SPLIT, MAX_PATHS - others.length)
  // Where too much changed for ten paths, they need not explain more than they do.
  const { moved, missed } = explained([...others, one], root)
  const leastMoved = Math.min(moved, EXPLAINED * root.moved)
  const mostMissed = Math.max(missed, (1 - EXPLAINED) * Math.abs(root.now - root.before), NEGLIGIBLE * root.moved)
  for (let count = 1; count <= Math.min(most, one.parts.length); count++) {
    const parts = one.parts.slice(0, count)
    const then = explained([...others, ...parts], root)
    if (then.moved >= leastMoved && then.missed <= mostMissed) return parts
  }
  // The whole image explains nothing.
  return isRoot && one.parts.length > 0 ? one.parts.slice(0, most) : undefined
}

/** Bytes that moved in what was chosen, and how far its difference is from that of the whole. */
function explained(chosen: readonly Delta[], root: Delta): { readonly moved: number; readonly missed: number } {
  const moved = chosen.reduce((sum, one) => sum + one.moved, 0)
  const difference = chosen.reduce((sum, one) => sum + one.now - one.before, 0)
  return { moved, missed: Math.abs(root.now - root.before - difference) }
}

function byMoved(a: Delta, b: Delta): number {
  return b.moved - a.moved || (a.path < b.path ? -1 : 1)
}

function delta(path: string, before: FileTree | undefined, now: FileTree | undefined): Delta {
  const [bytes, bytesBefore] = [now?.bytes ?? 0, before?.bytes ?? 0]
  const isDirectory = (now ?? before)?.children !== undefined
  const told = {
    path: isDirectory ? `${path}/` : path,
    now: bytes,
    before: bytesBefore,
    isOneSided: before === undefined || now === undefined,
  }
  // A directory of which one side tells no parts is not looked into.
  if (isFolded(before) || isFolded(now)) return { ...told, moved: Math.abs(bytes - bytesBefore), parts: [] }
  const names = new Set([...(now?.children?.keys() ?? []), ...(before?.children?.keys() ?? [])])
  const all = [...names].map((name) =>
    delta(path === '' ? name : `${path}/${name}`, before?.children?.get(name), now?.children?.get(name)),
  )
  const { parts, loose } = sortOut(all, looseBytes(now) - looseBytes(before))
  const moved = parts.reduce((sum, part) => sum + part.moved, Math.abs(loose))
  return { ...told, moved, parts: parts.filter((part) => part.moved > 0).toSorted(byMoved) }
}

/**
 * What stands alone on one side may have been small, and counted in its directory, on the other: as much of it as is
 * missing there. Parts of which that may be more than a little are counted with what is loose in the directory.
 */
function sortOut(
  all: readonly Delta[],
  looseChange: number,
): { readonly parts: readonly Delta[]; readonly loose: number } {
  const parts = all.filter((part) => !part.isOneSided)
  let loose = looseChange
  // What is smallest was most likely folded.
  for (const part of all.filter(({ isOneSided }) => isOneSided).toSorted((a, b) => byMoved(b, a))) {
    const change = part.now - part.before
    const doubt = Math.sign(loose) === -Math.sign(change) ? Math.min(Math.abs(loose), part.moved) : 0
    if (doubt > MAX_DOUBT * part.moved) loose += change
    else parts.push(part)
  }
  return { parts, loose }
}

function isFolded(tree: FileTree | undefined): boolean {
  return tree?.children?.size === 0 && tree.bytes > 0
}

/** Bytes of a directory that are in none of what stands alone in it. */
function looseBytes(tree: FileTree | undefined): number {
  return [...(tree?.children?.values() ?? [])].reduce((sum, child) => sum - child.bytes, tree?.bytes ?? 0)
}
