/** Rules for platforms that are built by a leg each (`matrix-by: platform`), and for the job that puts them together. */
import { namesPushed } from './build/output-lines.ts'
import { UserError, type Problem } from './errors.ts'
import { nameAlone, parseReference } from './images/reference.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'
import { FULL_PLATFORM } from './link-platforms.ts'

/** What stands against the inputs. */
export function splitProblems(inputs: Inputs, eventName: string | undefined): readonly Problem[] {
  if (inputs.mode === 'merge') return mergeProblems(inputs, eventName)
  if (inputs.matrixBy !== 'platform' || (inputs.mode !== 'plan' && inputs.mode !== 'build')) return []
  const problems = inputs.mode === 'plan' ? planProblems(inputs) : legProblems(inputs)
  return [...problems, ...inputs.platforms.filter((platform) => !FULL_PLATFORM.test(platform)).map(unfinished)]
}

function unfinished(platform: string): Problem {
  return {
    input: 'platforms',
    message: `\`platforms\`: \`${shown(platform)}\` is not written in full, as \`matrix-by: platform\` needs it.`,
    mend: 'Write `OS/ARCH` or `OS/ARCH/VARIANT`, such as `linux/arm64`.',
  }
}

function planProblems({ platforms, bakeFiles }: Inputs): readonly Problem[] {
  // Of bake files each target may name its own.
  return platforms.length > 0 || bakeFiles.length > 0 ? [] : [NO_PLATFORMS]
}

const NO_PLATFORMS: Problem = {
  input: 'platforms',
  message: '`matrix-by: platform` makes a leg for each of `platforms`, and it is empty.',
  mend: 'Name them, such as `linux/amd64, linux/arm64`.',
}

function mergeProblems({ plan }: Inputs, eventName: string | undefined): readonly Problem[] {
  const problems: Problem[] = []
  if (eventName === 'workflow_run') {
    problems.push({
      input: 'mode',
      message: '`mode: merge` makes images of what legs of the same run pushed, and this run is about another one.',
      mend: 'Put it into the workflow that builds; `mode: report` reports on another run.',
    })
  } else if (plan === undefined) {
    problems.push({
      input: 'plan',
      message: '`mode: merge` needs `plan`, and it is empty.',
      mend: 'Give the `plan` output of the job that planned, through that job’s `outputs`; GitHub drops an output that holds a masked value, such as a secret in a tag.',
    })
  }
  return problems
}

function legProblems({ platforms, push, tags, outputs }: Inputs): readonly Problem[] {
  const problems: Problem[] = []
  if (platforms.length !== 1) {
    const given = platforms.length === 0 ? 'is empty' : `names ${platforms.length}: \`${shown(platforms.join(', '))}\``
    problems.push({
      input: 'platforms',
      message: `\`platforms\`: a leg of \`matrix-by: platform\` builds one platform, and this ${given}.`,
      mend: 'Write `${{ matrix.platform }}`; to build all platforms in one job, leave `matrix-by` out.',
    })
  }
  const named = push ? tags.map(({ ref }) => ({ input: 'tags', ref })) : []
  const written = outputs.flatMap((line) => namesIn(line, push).map((ref) => ({ input: 'outputs', ref })))
  for (const { input, ref } of [...named, ...written]) {
    const repository = withoutTag(ref)
    if (repository === undefined) continue
    problems.push({
      input,
      message: `\`${input}\`: \`${shown(ref)}\` would be pushed with a tag, but a leg of \`matrix-by: platform\` has one platform of the image only, and legs would overwrite each other.`,
      mend: `Write \`${shown(repository)}\` here, and give the tags to the job with \`mode: merge\`.`,
    })
  }
  return problems
}

/** What cannot be read is told elsewhere. */
function namesIn(line: string, push: boolean): readonly string[] {
  try {
    return namesPushed(line, push)
  } catch (error) {
    if (error instanceof UserError) return []
    throw error
  }
}

/** The name without its tag or digest; undefined where it has none, or is no reference, which is told elsewhere. */
export function withoutTag(ref: string): string | undefined {
  try {
    // `{target}` is no character of a reference.
    const { tag, digest } = parseReference(ref.replaceAll('{target}', 'x'))
    if (tag === undefined && digest === undefined) return undefined
    return nameAlone(ref)
  } catch {
    return undefined
  }
}
