/**
 * The outputs of one bake target: the user's lines, `push`, `load` and the measured copy become one ordered list.
 * Knows buildx's output syntax; writes nothing.
 */
import { dirname, resolve } from 'node:path'
import { UserError } from '../errors.ts'
import { csvFields } from '../dockerfile/csv.ts'
import { nameAlone } from '../images/reference.ts'
import { csvField } from './buildx.ts'
import type { BuildRequest, BuildTarget } from './build-request.ts'

/** One output: its type and its attributes in the order written. */
interface Output {
  readonly type: string
  readonly attributes: ReadonlyMap<string, string>
}

export interface TargetOutputs {
  /** Lines for bake. */
  readonly lines: readonly string[]
  /** Directories that must exist before buildx opens its files. */
  readonly directories: readonly string[]
}

const IMAGE_TYPES = new Set(['image', 'docker', 'oci'])
const COMPRESSION_KEYS = ['compression', 'compression-level', 'force-compression']

/**
 * The outputs of a target. The measured copy comes first and what is pushed last: the metadata file tells the digest
 * of the last. Tags are written into each image output, since bake would put `tags` on the measured copy, too.
 */
export function outputsOf(target: BuildTarget, request: BuildRequest): TargetOutputs {
  const asked = withTags(withLoad(withPush(target.outputs.map(readOutput), request.push), request.load), target.tags)
  const user = storedOnce(request.byDigest === true ? asked.map(byDigest) : asked).map((output) =>
    placed(output, request.workspace),
  )
  const compression = user.find((output) => output.attributes.has('compression'))?.attributes
  const chosen: readonly (readonly [string, string])[] =
    compression === undefined
      ? request.compression === undefined || request.compression === 'gzip' // what BuildKit does by itself
        ? []
        : [['compression', request.compression]]
      : COMPRESSION_KEYS.flatMap((key) => {
          const value = compression.get(key)
          return value === undefined ? [] : [[key, value] as const]
        })
  const measured =
    request.measure === undefined ? [] : [measuredOutput(request.measure.host, request.measure.repository(target))]
  const ordered = [...measured, ...user.filter((output) => !pushes(output)), ...user.filter(pushes)]
  const all = ordered.length === 0 ? [{ type: 'cacheonly', attributes: new Map<string, string>() }] : ordered
  return {
    lines: all.map((output) => formatOutput(compressed(output, chosen))),
    directories: user.flatMap((output) => {
      const dest = output.attributes.get('dest')
      return dest === undefined || output.type === 'local' ? [] : [dirname(dest)]
    }),
  }
}

/**
 * The names with a tag under which a line pushes by itself or with `push`; whatever it is, it is no name that an image is pushed
 * to by its digest alone.
 */
export function namesPushed(line: string, push: boolean): readonly string[] {
  const output = readOutput(line)
  if (output.type !== 'image' || !(push || pushes(output))) return []
  return (output.attributes.get('name') ?? '').split(',').filter((name) => name !== '')
}

/** Types of the outputs that the user's lines ask for (`local`, `oci`, …), for the builder choice. */
export function outputTypes(lines: readonly string[]): readonly string[] {
  return lines.map((line) => readOutput(line).type)
}

/** Whether one of the lines asks for an image that is pushed without a tag, for the builder choice. */
export function pushesByDigest(lines: readonly string[]): boolean {
  return lines.some((line) => readOutput(line).attributes.get('push-by-digest') === 'true')
}

/**
 * Reads one line as buildx does. https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/export.go#L95-L135
 * @throws UserError for a line that is none.
 */
function readOutput(line: string): Output {
  const fields = fieldsOf(line)
  const [only] = fields
  if (fields.length === 1 && only !== undefined && !only.startsWith('type=')) {
    if (only === '-') throw badOutput(line, 'would write to this step’s log')
    return { type: 'local', attributes: new Map([['dest', only]]) }
  }
  const attributes = new Map<string, string>()
  for (const field of fields) {
    const at = field.indexOf('=')
    attributes.set((at === -1 ? field : field.slice(0, at)).trim().toLowerCase(), at === -1 ? '' : field.slice(at + 1))
  }
  const type = attributes.get('type') ?? ''
  if (type === '') throw badOutput(line, 'has no `type=…`')
  attributes.delete('type')
  if (type !== 'registry') return { type, attributes }
  return { type: 'image', attributes: attributes.set('push', attributes.get('push') ?? 'true') }
}

function fieldsOf(line: string): readonly string[] {
  try {
    return csvFields(line)
  } catch (error) {
    throw badOutput(line, `cannot be read (${error instanceof Error ? error.message : String(error)})`)
  }
}

function badOutput(line: string, what: string): UserError {
  return new UserError({
    input: 'outputs',
    message: `\`outputs\`: \`${line}\` ${what}.`,
    mend: 'Write lines such as `type=local,dest=out`.',
  })
}

/** `push` turns the user's image outputs into pushed ones; without any it adds one. As `docker buildx build --push`. */
function withPush(outputs: readonly Output[], push: boolean | undefined): readonly Output[] {
  if (push !== true) return outputs
  if (!outputs.some((output) => output.type === 'image')) {
    return [...outputs, { type: 'image', attributes: new Map([['push', 'true']]) }]
  }
  return outputs.map((output) => (output.type === 'image' ? changed(output, 'push', 'true') : output))
}

/** As https://docs.docker.com/build/ci/github-actions/multi-platform/#distribute-build-across-multiple-runners has it. */
function byDigest(output: Output): Output {
  if (output.type !== 'image' || !pushes(output)) return output
  // One that bake files write may have a tag.
  const name = output.attributes.get('name')?.split(',').map(nameAlone).join(',')
  const attributes = {
    ...{ 'push-by-digest': 'true', 'name-canonical': 'true', store: 'false' },
    ...(name === undefined ? {} : { name }),
  }
  return Object.entries(attributes).reduce((done, [key, value]) => changed(done, key, value), output)
}

function withLoad(outputs: readonly Output[], load: boolean | undefined): readonly Output[] {
  if (load !== true) return outputs
  const loads = outputs.some((output) => output.type === 'docker' && !output.attributes.has('dest'))
  return loads ? outputs : [{ type: 'docker', attributes: new Map() }, ...outputs]
}

function withTags(outputs: readonly Output[], tags: readonly string[]): readonly Output[] {
  if (tags.length === 0) return outputs
  return outputs.map((output) => (IMAGE_TYPES.has(output.type) ? changed(output, 'name', tags.join(',')) : output))
}

/**
 * Docker's own builder stores an image for `load` and again for each image output; doing both at once under one name it
 * fails now and then ("already exists"). So only the first of them stores. Other builders store nothing.
 */
function storedOnce(outputs: readonly Output[]): readonly Output[] {
  const isLoad = (output: Output): boolean => output.type === 'docker' && !output.attributes.has('dest')
  const stored = new Set(outputs.filter(isLoad).map((output) => output.attributes.get('name')))
  return outputs.map((output) => {
    if (output.type !== 'image' || output.attributes.has('store')) return output
    const name = output.attributes.get('name')
    if (stored.has(name)) return changed(output, 'store', 'false')
    stored.add(name)
    return output
  })
}

function placed(output: Output, workspace: string): Output {
  const dest = output.attributes.get('dest')
  return dest === undefined || dest === '-' ? output : changed(output, 'dest', resolve(workspace, dest))
}

function compressed(output: Output, compression: readonly (readonly [string, string])[]): Output {
  if (!IMAGE_TYPES.has(output.type)) return output
  return { type: output.type, attributes: new Map([...output.attributes, ...compression]) }
}

function measuredOutput(host: string, repository: string): Output {
  const attributes = new Map([['push', 'true'], ['store', 'false'], ['name', `${host}/${repository}`]]) // prettier-ignore
  return { type: 'image', attributes }
}

function pushes(output: Output): boolean {
  return output.attributes.get('push') === 'true'
}

function changed(output: Output, key: string, value: string): Output {
  return { type: output.type, attributes: new Map([...output.attributes, [key, value]]) }
}

function formatOutput(output: Output): string {
  return [`type=${output.type}`, ...[...output.attributes].map(([key, value]) => csvField(`${key}=${value}`))].join(',')
}
