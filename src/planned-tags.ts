/** The tags of each target: what the input `tags` says, and what bake files say of those that it does not name. Pure. */
import type { Problem } from './errors.ts'
import type { Inputs } from './inputs.ts'
import { assignTags, untagged, type AssignedTags, type TagPlace } from './plan/target-tags.ts'
import type { RequestedTarget } from './plan/targets.ts'
import type { PartDraft } from './part-planning.ts'
import type { WantedTarget } from './project.ts'
import { withoutTag } from './split-rules.ts'

/**
 * What `tags` says; a target that it does not name has those of the bake files, and its leg pushes to their repositories.
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
  const written = assignTags(
    targets,
    left.flatMap(({ name, tags: own }) => own.map((ref) => ({ target: name, ref }))),
    IN_BAKE_FILES,
  )
  const both = targets.map(({ name }): readonly [string, readonly string[]] => {
    const own = written.tagsOf.get(name) ?? []
    const pushed = isLeg(inputs) && inputs.push ? new Set(own.map((ref) => withoutTag(ref) ?? ref)) : own
    return [name, [...(given.tagsOf.get(name) ?? []), ...pushed]]
  })
  return { tagsOf: new Map(both), problems: [...given.problems, ...written.problems] }
}

const IN_BAKE_FILES: TagPlace = {
  ...{ input: 'bake-files', called: '`tags` of the bake files' },
  mend: 'Give each target a tag of its own in its file, or to all of them with `{target}` in the input `tags`.',
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
