/**
 * Writes tags of images that a registry already holds, as `images/retag.ts` planned it: in the image's own repository by
 * `retag-in-place.ts`, and in another one with `docker buildx imagetools create`, which needs no engine, uses docker's own
 * logins, and copies or mounts what is missing there.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Problem } from '../errors.ts'
import { repositoryOf } from '../images/reference.ts'
import { RegistryError } from '../images/registry-error.ts'
import type { RetagAction } from '../images/retag.ts'
import { sideBySide } from '../images/side-by-side.ts'
import { runDocker, type Docker } from './buildx.ts'
import { rawJsonReader } from './rawjson.ts'
import { retagFailure, wrongTag } from './retag-failure.ts'
import { type InPlaceOptions, retagInPlace } from './retag-in-place.ts'

export interface CarryOutOptions {
  readonly client: InPlaceOptions['client']
  /** Whose configuration of registries is used; undefined: the current one. */
  readonly builder?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Actions at a time; a copy takes about 0.15 s of a processor. */
  readonly concurrency?: number | undefined
}

interface Failure {
  readonly problem: Problem
  readonly passing: boolean
}

/** Actions at a time: of copies, and where nothing is copied. */
const CONCURRENCY = { copying: 8, inPlace: 16 } as const
/** Before the second and the third try, ms. */
const BACKOFF = [500, 2_000]

/** `docker buildx imagetools create`: the image as it is, under more tags of one repository. */
export function createImageArgs({ source, tags }: RetagAction, builder: string | undefined): readonly string[] {
  const args = ['buildx', 'imagetools', 'create', '--progress', 'rawjson', '--prefer-index=false']
  if (builder !== undefined) args.push('--builder', builder)
  for (const tag of tags) args.push('--tag', tag)
  return [...args, source]
}

/**
 * Carries out all actions, several side by side, and looks whether the tags point to the image. One answer per action, in
 * their order: what is wrong with the first tag that could not be written, or undefined when all is well. A tag that could
 * not be written keeps no other from being written.
 * @throws UserError when there is no docker program; the signal's reason when it is aborted
 */
export async function carryOut(
  docker: Docker,
  actions: readonly RetagAction[],
  options: CarryOutOptions,
): Promise<readonly (Problem | undefined)[]> {
  const limit = CONCURRENCY[actions.every(isInPlace) ? 'inPlace' : 'copying']
  return await sideBySide(actions, options.concurrency ?? limit, async (action) => {
    const failures = await writeAction(docker, action, options)
    return action.tags.map((tag) => failures.get(tag)).find((problem) => problem !== undefined)
  })
}

async function writeAction(
  docker: Docker,
  action: RetagAction,
  options: CarryOutOptions,
): Promise<ReadonlyMap<string, Problem>> {
  if (isInPlace(action)) return await retagInPlace(action, options)
  const {
    source,
    tags: [first, ...rest],
  } = action
  if (first === undefined) return new Map()
  // Several tags at once would copy every blob once for each of them.
  const copied = await writeAgain(docker, { source, tags: [first] }, options)
  if (rest.length === 0) return copied
  const copy = `${repositoryOf(first)}@${digestOf(source)}`
  const others =
    copied.size === 0
      ? await retagInPlace({ source: copy, tags: rest }, options)
      : await writeAgain(docker, { source, tags: rest }, options)
  return new Map([...copied, ...others])
}

function isInPlace({ source, tags }: RetagAction): boolean {
  return tags.every((tag) => source.startsWith(`${repositoryOf(tag)}@`))
}

/** Writes, and writes once more after a passing failure what is still not right. */
async function writeAgain(
  docker: Docker,
  action: RetagAction,
  options: CarryOutOptions,
): Promise<ReadonlyMap<string, Problem>> {
  let { tags } = action
  const problems = new Map<string, Problem>()
  for (const wait of [...BACKOFF, undefined]) {
    const failures = await writeOnce(docker, { source: action.source, tags }, options)
    for (const tag of tags) problems.delete(tag)
    for (const [tag, { problem }] of failures) problems.set(tag, problem)
    tags = tags.filter((tag) => failures.get(tag)?.passing === true)
    if (tags.length === 0 || wait === undefined) break
    await delay(wait, undefined, options.signal === undefined ? {} : { signal: options.signal })
  }
  return problems
}

async function writeOnce(
  docker: Docker,
  action: RetagAction,
  { client, builder, signal }: CarryOutOptions,
): Promise<ReadonlyMap<string, Failure>> {
  const errors = await createImage(docker, { action, builder, signal })
  const failures = new Map<string, Failure>()
  const verify = async (tag: string): Promise<void> => {
    const error = errors.get(tag)
    const said = error === undefined ? undefined : retagFailure(tag, error)
    const wrong = await verified(tag, { digest: digestOf(action.source), client, signal })
    // Another run may have written the same just before, to a registry that refuses it the second time.
    if (wrong !== undefined) failures.set(tag, said ?? wrong)
  }
  await Promise.all(action.tags.map(verify))
  return failures
}

/** Runs the command; what buildx said for each tag that was not written. */
async function createImage(
  docker: Docker,
  run: {
    readonly action: RetagAction
    readonly builder: string | undefined
    readonly signal: AbortSignal | undefined
  },
): Promise<ReadonlyMap<string, string>> {
  const { action, builder, signal } = run
  const ended = new Map<string, string | undefined>()
  const text: string[] = []
  const reader = rawJsonReader(
    ({ vertexes }) => {
      for (const { name, completedMs, error } of vertexes) {
        if (completedMs !== undefined) ended.set(name.replace(/^\[internal\] pushing /, ''), error)
      }
    },
    (line) => text.push(line),
  )
  const { code } = await runDocker(docker, createImageArgs(action, builder), {
    signal,
    onStderr: (chunk) => {
      reader.push(chunk)
    },
  })
  reader.end()
  signal?.throwIfAborted()
  if (code === 0) return new Map()
  const last = text.join('\n').replace(/^[^]*?ERROR: /, '') || `it ended with exit code ${String(code)}`
  return new Map(
    action.tags.flatMap((tag): readonly (readonly [string, string])[] => {
      const error = ended.has(tag) ? ended.get(tag) : last
      return error === undefined ? [] : [[tag, error]]
    }),
  )
}

/** What is wrong with a tag that should point to the image, if anything is. */
async function verified(
  tag: string,
  { digest, client, signal }: Pick<CarryOutOptions, 'client' | 'signal'> & { readonly digest: string },
): Promise<Failure | undefined> {
  try {
    const found = await client.findDigest(tag, { signal })
    if (found === digest) return undefined
    // Registries in several places may be late to show what was written.
    return { passing: true, problem: wrongTag(tag, { digest, found }) }
  } catch (error) {
    signal?.throwIfAborted()
    if (!(error instanceof RegistryError)) throw error
    return { passing: false, problem: { message: error.message, mend: error.mend } }
  }
}

function digestOf(source: string): string {
  return source.slice(source.indexOf('@') + 1)
}
