/** The tags of each target: what the input `tags` says, and what bake files say of those that it does not name. Pure. */
import type { Problem } from './errors.ts'
import type { Inputs } from './inputs.ts'
import { assignTags, untagged, type AssignedTags } from './plan/target-tags.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { PartDraft } from './part-planning.ts'
import type { WantedTarget } from './project.ts'
import { withoutTag } from './split-rules.ts'

/**
 * What `tags` says; a target that it does not name has those of the bake files (`bakeTagProblems` tells what is wrong with
 * these), and its leg pushes to their repositories.
 * @param wanted of bake files
 */
export function tagsOf(
  targets: readonly Pick<RequestedTarget, 'name'>[],
  inputs: Inputs,
  wanted: readonly Pick<WantedTarget, 'name' | 'tags'>[],
): AssignedTags {
  const given = assignTags(targets, inputs.tags)
  if (wanted.length === 0) return given
  const left = wanted.filter(({ name }) => given.tagsOf.get(name)?.length === 0)
  const written = new Map(left.map(({ name, tags: own }) => [name, own]))
  const both = targets.map(({ name }): readonly [string, readonly string[]] => {
    const own = [...new Set(written.get(name))]
    const pushed = isLeg(inputs) && inputs.push ? new Set(own.map((ref) => withoutTag(ref) ?? ref)) : own
    return [name, [...(given.tagsOf.get(name) ?? []), ...pushed]]
  })
  return { tagsOf: new Map(both), problems: given.problems }
}

function isLeg({ matrixBy, mode }: Inputs): boolean {
  return matrixBy === 'platform' && mode === 'build'
}

/**
 * With `push` every target needs somewhere to go, unless its outputs say where. Of what a leg pushes elsewhere than to its tags'
 * repositories no image is made.
 */
export function homeless(
  parts: readonly PartDraft[],
  { tagsOf: all }: AssignedTags,
  inputs: Inputs,
): readonly Problem[] {
  if (!inputs.push || inputs.mode !== 'build') return []
  if (isLeg(inputs)) return untagged(all, 'repository')
  const named = parts.filter(({ part }) => part.inputs.outputs.some((line) => /(^|,)"?name=/.test(line)))
  const sent = new Set(named.flatMap(({ targets }) => targets.map(({ name }) => name)))
  return untagged(new Map([...all].filter(([name]) => !sent.has(name))))
}
