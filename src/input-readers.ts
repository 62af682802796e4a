/** How each kind of input is read from its text: problems are added to the list that the caller gives. */
import type { SecretSource } from './build/build-request.ts'
import { nearest, type Problem } from './errors.ts'
import { parseImageSource } from './images/image-source.ts'
import { normalizeReference } from './images/reference.ts'
import { readPairs, readRecords, shown, type ListOptions } from './input-lists.ts'
import type { ExternalImageInput, InputName, Inputs, TagInput } from './inputs.ts'

export function listOf(name: InputName, value: string, options: ListOptions, problems: Problem[]): readonly string[] {
  return recordsOf(name, value, options, problems).flat()
}

function recordsOf(
  name: InputName,
  value: string,
  options: ListOptions,
  problems: Problem[],
): readonly (readonly string[])[] {
  try {
    return readRecords(value, options)
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/ at line.*$/s, '') : 'not a list'
    problems.push({
      input: name,
      message: `\`${name}\` cannot be read as a list: ${reason}.`,
      mend: 'Check its quotes: a quoted item must end with a quote.',
    })
    return []
  }
}

/** Booleans as YAML 1.2 writes them, like `getBooleanInput`, but the message shows the value. */
export function readBoolean(name: InputName, value: string, problems: Problem[]): boolean {
  if (['true', 'True', 'TRUE'].includes(value)) return true
  if (['', 'false', 'False', 'FALSE'].includes(value)) return false
  problems.push({
    input: name,
    message: `\`${name}\`: \`${shown(value)}\` is neither \`true\` nor \`false\`.`,
    mend: 'Write `true` or `false`.',
  })
  return false
}

export function readOneOf<T extends string>(options: {
  readonly name: InputName
  readonly value: string
  readonly values: readonly T[]
  readonly problems: Problem[]
}): T {
  const { name, value, values, problems } = options
  const found = values.find((candidate) => candidate === value)
  if (found !== undefined) return found
  const [fallback] = values
  if (fallback === undefined) throw new Error(`${name} accepts no values`)
  if (value !== '') {
    const near = nearest(value, values)
    problems.push({
      input: name,
      message: `\`${name}\`: \`${shown(value)}\` is not one of ${values.map((v) => `\`${v}\``).join(', ')}.`,
      mend: near === undefined ? undefined : `Did you mean \`${near}\`?`,
    })
  }
  return fallback
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40,
} // prettier-ignore

/** A number of bytes with or without a unit: `5GB`, `512 MiB`. */
export function readBytes(name: InputName, value: string, problems: Problem[]): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value) ?? []
  const factor = BYTE_UNITS[unit.toUpperCase()]
  if (number !== '' && factor !== undefined) return Math.round(Number(number) * factor)
  if (value !== '') {
    problems.push({
      input: name,
      message: `\`${name}\`: \`${shown(value)}\` is no number of bytes.`,
      mend: 'Write it as `5GB`, `500MB` or `2GiB`.',
    })
  }
  return 0
}

/** A whole number; 0 where there is none. */
export function readCount(
  name: InputName,
  value: string,
  { most, problems }: { readonly most: number; readonly problems: Problem[] },
): number {
  if (/^\d{1,9}$/.test(value) && Number(value) <= most) return Number(value)
  if (value !== '') {
    problems.push({
      input: name,
      message: `\`${name}\`: \`${shown(value)}\` is no whole number from 0 to ${most}.`,
      mend: `Write a number from 0 to ${most}.`,
    })
  }
  return 0
}

export function readTargets(
  targets: readonly string[],
  target: string | undefined,
  problems: Problem[],
): Inputs['targets'] {
  if (target !== undefined && targets.length > 0) {
    problems.push({
      input: 'target',
      message: `\`target\` (\`${shown(target)}\`) and \`targets\` are both given.`,
      mend: 'Keep `targets`; it takes one or several.',
    })
  }
  const list = targets.length > 0 ? targets : target === undefined ? [] : [target]
  if (list.length === 0) return undefined
  if (list.includes('all')) {
    if (list.length > 1) {
      problems.push({
        input: 'targets',
        message: '`targets`: `all` stands beside other targets.',
        mend: 'Write `all` alone, or name the targets.',
      })
    }
    return 'all'
  }
  return [...new Set(list)]
}

export function readTags(value: string, problems: Problem[]): readonly TagInput[] {
  const tags: TagInput[] = []
  for (const record of recordsOf('tags', value, { commas: true }, problems)) {
    // `prod=a:1,b:2`: the references that follow on the line belong to the same target.
    let target: string | undefined
    for (const item of record) {
      const at = item.indexOf('=')
      if (at >= 0) target = item.slice(0, at).trim()
      const ref = item.slice(at + 1).trim()
      if (target === '' || ref === '') {
        problems.push({
          input: 'tags',
          message: `\`tags\`: \`${shown(item)}\` lacks ${target === '' ? 'the target before' : 'the reference behind'} \`=\`.`,
          mend: 'Write `TARGET=REF` or `REF`.',
        })
        continue
      }
      // `{target}` is no character of a reference; a stand-in lets the rest be checked here.
      checkReference(ref.replaceAll('{target}', 'x'), () => {
        problems.push({
          input: 'tags',
          message: `\`tags\`: \`${shown(ref)}\` is not an image reference.`,
          mend: 'Write `registry/name:tag`, in lower case.',
        })
      })
      tags.push({ target, ref })
    }
  }
  return tags
}

function checkReference(ref: string, onInvalid: () => void): void {
  try {
    normalizeReference(ref)
  } catch {
    onInvalid()
  }
}

export function readExternalImages(lines: readonly string[], problems: Problem[]): readonly ExternalImageInput[] {
  const images: ExternalImageInput[] = []
  for (const { key, value } of readPairs('external-images', lines, problems, 'NAME=REF')) {
    try {
      const name = normalizeReference(key)
      if (images.some((image) => image.name === name)) {
        problems.push({
          input: 'external-images',
          message: `\`external-images\`: \`${shown(key)}\` is mapped twice.`,
          mend: 'Keep one line per image.',
        })
      }
      images.push({ name, source: parseImageSource(value) })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      problems.push({
        input: 'external-images',
        message: `\`external-images\`: \`${shown(`${key}=${value}`)}\`: ${reason}.`,
        mend: 'Write `NAME=REF`, for example `nginx:latest=ghcr.io/org/mirror/nginx:1.29`.',
      })
    }
  }
  return images
}

/** `NAME=VALUE`; `NAME` alone takes the value from the environment and is left out where there is none, as in docker. */
export function readBuildArgs(
  lines: readonly string[],
  env: NodeJS.ProcessEnv,
  problems: Problem[],
): Readonly<Record<string, string>> {
  const args: Record<string, string> = {}
  for (const line of lines) {
    const at = line.indexOf('=')
    const name = at < 0 ? line : line.slice(0, at)
    const value = at < 0 ? env[line] : line.slice(at + 1)
    if (name.trim() === '') {
      problems.push({
        input: 'build-args',
        message: `\`build-args\`: \`${shown(line)}\` is not of the form \`NAME=VALUE\`.`,
        mend: 'Write one `NAME=VALUE` a line.',
      })
    } else if (value !== undefined) args[name] = value
  }
  return args
}

export function readSecrets(options: {
  readonly values: readonly string[]
  readonly envs: readonly string[]
  readonly files: readonly string[]
  readonly problems: Problem[]
  /** What is left out. */
  readonly warnings: Problem[]
  readonly env: NodeJS.ProcessEnv
}): readonly SecretSource[] {
  const { problems, warnings, env } = options
  const secrets: SecretSource[] = []
  for (const line of options.values) {
    const at = line.indexOf('=')
    // A malformed line may be a bare secret: it is never shown.
    if (at <= 0)
      problems.push({
        input: 'secrets',
        message: '`secrets`: a line is not of the form `ID=VALUE` (not shown here).',
        mend: 'Write `ID=VALUE`; put a value of several lines into double quotes: `"ID=…"`.',
      })
    else if (at === line.length - 1)
      warnings.push({
        input: 'secrets',
        message: `\`secrets\`: \`${shown(line.slice(0, at))}\` is empty, so the build is not given that secret.`,
        mend: 'Check its name; runs for pull requests of forks and of Dependabot have no secrets of the repository.',
      })
    else secrets.push({ kind: 'value', id: line.slice(0, at), value: line.slice(at + 1) })
  }
  for (const { key, value } of readPairs('secret-envs', options.envs, problems, 'ID=VARIABLE')) {
    if (env[value] === undefined)
      problems.push({
        input: 'secret-envs',
        message: `\`secret-envs\`: the variable \`${shown(value)}\` is not set.`,
        mend: `Set it in the step's \`env:\`.`,
      })
    secrets.push({ kind: 'env', id: key, env: value })
  }
  for (const { key, value } of readPairs('secret-files', options.files, problems, 'ID=PATH')) {
    secrets.push({ kind: 'file', id: key, path: value })
  }
  const ids = secrets.map((secret) => secret.id)
  for (const id of new Set(ids.filter((candidate, index) => ids.indexOf(candidate) !== index))) {
    problems.push({
      input: 'secrets',
      message: `The secret \`${shown(id)}\` is given twice.`,
      mend: 'Give each secret id once in `secrets`, `secret-envs` and `secret-files`.',
    })
  }
  return secrets
}
