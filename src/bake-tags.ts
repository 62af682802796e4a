/** Tags that bake and compose files give to their targets: which of them cannot be kept. Pure. */
import { targetProblem, type BakeFileTarget, type BakeFileTargets, type TargetProblem } from './build/bake-targets.ts'
import { formatReference, parseReference, tagNameOnly } from './images/reference.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'
import { list } from './report/words.ts'

/** So many targets are named. */
const NAMES = 6

/** Those that are asked for, in their order. */
export function askedTargets({
  targets,
  asked,
}: Pick<BakeFileTargets, 'targets' | 'asked'>): readonly BakeFileTarget[] {
  const known = new Map(targets.map((target) => [target.name, target]))
  return asked.flatMap((name) => known.get(name) ?? [])
}

/** Whether `tags` gives the target something in place of what its file says. */
export function isNamed(name: string, { tags }: Pick<Inputs, 'tags'>): boolean {
  return tags.some(({ target }) => target === undefined || target.toLowerCase() === name.toLowerCase())
}

/**
 * What is wrong with the tags of targets that are asked for: what is no reference, and one tag for different images. Where
 * nothing is pushed or loaded, a target whose outputs are no images has its tags for nothing.
 */
export function bakeTagProblems(
  { targets, asked }: Pick<BakeFileTargets, 'targets' | 'asked'>,
  inputs: Inputs,
): readonly TargetProblem[] {
  const given = askedTargets({ targets, asked })
    .filter((target) => !isNamed(target.name, inputs) && (inputs.push || inputs.load || makesImage(target)))
    .flatMap(({ name, tags }) => tags.map((tag) => ({ name, tag, image: imageOf(tag) })))
  const malformed = given
    .filter(({ image }) => image === undefined)
    .map(({ name, tag }) =>
      targetProblem(
        name,
        `: its tag \`${shown(tag)}\` is not an image reference.`,
        'Write `registry/name:tag`, in lower case and without a digest; variables of the file come from the step’s `env`.',
      ),
    )
  const taken = Map.groupBy(given.filter(({ image }) => image !== undefined), ({ image }) => image) // prettier-ignore
  const shared = [...taken.values()].flatMap((owners) => {
    const names = [...new Set(owners.map(({ name }) => name))]
    const [first, second] = names
    if (first === undefined || second === undefined) return []
    const others = names.slice(1).map((name) => `\`${name}\``)
    return [
      targetProblem(
        first,
        `: its tag \`${shown(owners[0]?.tag ?? '')}\` is given to ${list(others, NAMES)}, too, and ${others.length === 1 ? 'that is' : 'those are'} built in another way.`,
        'Give each image a tag of its own in its file, or to all of them with `{target}` in the input `tags`, or build one of them with `targets`.',
      ),
    ]
  })
  return [...malformed, ...shared]
}

function makesImage({ outputs }: BakeFileTarget): boolean {
  return outputs.length === 0 || outputs.some((line) => !/^type=(?:cacheonly|local|tar)(?:,|$)/.test(line))
}

/** As registries and engines tell images apart; undefined where it can be no tag. */
function imageOf(tag: string): string | undefined {
  try {
    const reference = parseReference(tag)
    return reference.digest === undefined ? formatReference(tagNameOnly(reference)) : undefined
  } catch {
    return undefined
  }
}
