/** Rules between inputs: what cannot go together, and what is accepted without doing anything. */
import type { Problem } from './errors.ts'
import type { InputName, Inputs } from './inputs.ts'
import { malformed } from './input-forms.ts'
import { shown } from './input-lists.ts'
import { splitProblems } from './split-rules.ts'

/** What only a build uses; with `mode: plan` these do nothing. */
const BUILD_ONLY: readonly InputName[] = [
  'secrets', 'secret-envs', 'secret-files', 'ssh', 'allow', 'builder', 'cache-from', 'cache-to',
] // prettier-ignore

/** What there is no Dockerfile for with `mode: cleanup`. */
const OF_TARGETS: readonly InputName[] = [
  'target', 'targets', 'tags', 'external-images', 'build-contexts', 'build-args', 'platforms', 'outputs', 'plan',
  'size-budgets', 'baseline',
] // prettier-ignore

/** Adds the problems between inputs to `problems`; returns the warnings. */
export function checkCombinations(
  inputs: Inputs,
  raw: (name: InputName) => string,
  { problems, eventName }: { readonly problems: Problem[]; readonly eventName: string | undefined },
): readonly Problem[] {
  problems.push(...malformed(inputs), ...splitProblems(inputs, eventName))
  // The plan of another run cannot be had.
  if (inputs.mode === 'report' && inputs.plan === undefined && eventName !== 'workflow_run') {
    problems.push({
      input: 'plan',
      message: '`mode: report` needs `plan`, and it is empty.',
      mend: 'Give the `plan` output of the job that planned, through that job’s `outputs`; GitHub drops an output that holds a masked value, such as a secret in a tag.',
    })
  }
  if (/^(https?|git|ssh):\/\/|^git@|^\{\{/.test(inputs.context)) {
    problems.push({
      input: 'context',
      message: `\`context\`: \`${shown(inputs.context)}\` is a Git or HTTP address; stage-build builds what is checked out.`,
      mend: 'Add `actions/checkout` before this step and set `context` to a directory (`.`).',
    })
  }
  const several = inputs.targets === 'all' || (inputs.targets !== undefined && inputs.targets.length > 1)
  if (several) {
    for (const { ref } of inputs.tags.filter((tag) => tag.target === undefined && !tag.ref.includes('{target}'))) {
      problems.push({
        input: 'tags',
        message: `\`tags\`: \`${shown(ref)}\` names no target, and there are several.`,
        mend: `Write \`TARGET=${shown(ref)}\`, or put \`{target}\` into it.`,
      })
    }
  }
  problems.push(...sharedOutputs(inputs, several), ...besideBakeFiles(inputs, raw))
  const warnings: Problem[] = []
  if (inputs.cacheBackend === 'github' && raw('cache-dir') !== '') {
    warnings.push({ input: 'cache-dir', message: '`cache-dir` has no effect with `cache-backend: github`.' })
  }
  if (inputs.mode === 'plan' || inputs.mode === 'cleanup') {
    const ignored = [...BUILD_ONLY, ...(inputs.mode === 'plan' ? [] : OF_TARGETS)]
      .filter((name) => raw(name) !== '')
      .map((name) => `\`${name}\``)
    if (ignored.length > 0)
      warnings.push({ message: `\`mode: ${inputs.mode}\` builds nothing and ignores ${ignored.join(', ')}.` })
  }
  return warnings
}

/** Outputs that several targets would write one over the other. */
export function sharedOutputs({ outputs }: Inputs, several: boolean): readonly Problem[] {
  return outputs
    .filter((line) => several && writesSomewhere(line) && !line.includes('{target}'))
    .map((output) => ({
      input: 'outputs',
      message: `\`outputs\`: \`${shown(output)}\` would be written by every target, one over the other.`,
      mend: 'Put `{target}` into its `dest` or `name`.',
    }))
}

/** What bake files say of each target stands beside them in no input. */
function besideBakeFiles(inputs: Inputs, raw: (name: InputName) => string): readonly Problem[] {
  if (inputs.bakeFiles.length === 0) return []
  const given = (['file', 'build-contexts'] as const).filter((name) => raw(name) !== '')
  const mends = { file: 'dockerfile', 'build-contexts': 'contexts' }
  return given.map((name): Problem => ({
    input: name,
    message: `\`${name}\` (\`${shown(raw(name))}\`) is given beside \`bake-files\`.`,
    mend: `Remove it, and say \`${mends[name]}\` in the bake file, of the target that it is for.`,
  }))
}

/** A bare path, or an output with a `dest` or a `name`: two targets writing it would overwrite each other. */
function writesSomewhere(output: string): boolean {
  return output !== '-' && (!output.includes('=') || /(^|,)"?(dest|name)=/.test(output))
}
