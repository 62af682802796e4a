/** Which tags each target gets, from lines `TARGET=REF` and bare references. */
import { nearest, type Problem } from '../errors.ts'
import type { RequestedTarget } from './targets.ts'

export interface TagLine {
  readonly target: string | undefined
  readonly ref: string
}

export interface AssignedTags {
  readonly tagsOf: ReadonlyMap<string, readonly string[]>
  readonly problems: readonly Problem[]
}

/** Assigns tags by target name; a tag for a target that is not built, or one tag for two targets, is a problem. */
export function assignTags(targets: readonly Pick<RequestedTarget, 'name'>[], lines: readonly TagLine[]): AssignedTags {
  const problems: Problem[] = []
  const names = targets.map((target) => target.name)
  const tagsOf = new Map(names.map((name): [string, string[]] => [name, []]))
  const owners = new Map<string, string>()
  for (const { target, ref } of lines) {
    const wanted = target === undefined ? names : names.filter((name) => name.toLowerCase() === target.toLowerCase())
    if (wanted.length === 0 && target !== undefined) {
      const near = nearest(target, names)
      problems.push({
        input: 'tags',
        message: `\`tags\`: \`${target}=${ref}\` is for a target that is not built.`,
        mend:
          near === undefined
            ? `The targets are ${names.map((name) => `\`${name}\``).join(', ')}.`
            : `Did you mean \`${near}\`?`,
      })
    }
    for (const name of wanted) {
      // The name of a stage is lower-case and of a tag's characters; an image name has to be lower-case, too.
      const tag = ref.replaceAll('{target}', name.toLowerCase())
      const owner = owners.get(tag)
      if (owner !== undefined && owner !== name) {
        problems.push({
          input: 'tags',
          mend: 'Give each target a tag of its own: `TARGET=REF`, or `{target}` in the reference.',
          message: `\`tags\`: \`${tag}\` is given to both \`${owner}\` and \`${name}\`.`,
        })
        continue
      }
      owners.set(tag, name)
      const tags = tagsOf.get(name)
      if (tags !== undefined && !tags.includes(tag)) tags.push(tag)
    }
  }
  return { tagsOf, problems }
}

/**
 * With `push` every target needs somewhere to go.
 * @param place what is given: where a leg pushes one platform, a name without a tag
 */
export function untagged(
  tagsOf: ReadonlyMap<string, readonly string[]>,
  place: 'tag' | 'repository' = 'tag',
): readonly Problem[] {
  const end = place === 'tag' ? ':1' : ''
  return [...tagsOf]
    .filter(([, tags]) => tags.length === 0)
    .map(([name]) => ({
      input: 'push',
      message: `\`push\`: the target \`${name}\` has no ${place}, so there is nowhere to push it.`,
      mend:
        tagsOf.size === 1
          ? `Give it one with \`tags\`, such as \`ghcr.io/org/app${end}\`.`
          : `Give it one with \`tags\`, such as \`${name}=ghcr.io/org/app${end}\` or \`ghcr.io/org/{target}${end}\` for all, or set \`push: false\`.`,
    }))
}
