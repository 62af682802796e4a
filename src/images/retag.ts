/**
 * What is to be done so that tags point to an image that some repositories already hold: which tags are right already,
 * which are to be written where, and which repository needs a copy. Only asks (HEAD requests); `build/imagetools.ts`
 * carries it out.
 */
import type { Problem } from '../errors.ts'
import { formatReference, type ImageReference, parseReference, repositoryOf, tagNameOnly } from './reference.ts'
import type { RegistryClient } from './registry-client.ts'
import { RegistryError } from './registry-error.ts'

export interface RetagOptions {
  readonly client: Pick<RegistryClient, 'findDigest' | 'hasManifest'>
  /** Of what was pushed: a manifest's or an index's. */
  readonly digest: string
  /**
   * The manifests that the index lists, as far as they are known. Clean-up jobs are known to delete those, since they
   * have no tag; a repository that lost one of them has lost the image.
   */
  readonly manifests?: readonly string[] | undefined
  /** Names with tags that shall point to it. */
  readonly tags: readonly string[]
  /** Names without tags: where it was pushed when it was built. */
  readonly repositories: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/** One call of `imagetools create`. */
export interface RetagAction {
  /** `repository@digest` */
  readonly source: string
  /** To be written; all of one repository, which is not the source's where that one needs a copy. */
  readonly tags: readonly string[]
}

export type RetagPlan =
  | {
      readonly kind: 'possible'
      readonly actions: readonly RetagAction[]
      /** Tags that are right already. */
      readonly present: readonly string[]
    }
  /** None of these repositories has the image whole. */
  | { readonly kind: 'gone'; readonly missing: readonly string[] }
  /** A registry refused or did not answer. */
  | { readonly kind: 'unknown'; readonly problems: readonly Problem[] }

/** A repository that is to have the image. */
interface Wanted {
  readonly repository: string
  readonly has: boolean
  readonly present: readonly string[]
  readonly absent: readonly string[]
}

/**
 * The plan for one image. A registry's refusal is a plan of kind `unknown`, not an error. References in it are in their
 * full form (`docker.io/library/app:1`).
 * @throws InvalidReferenceError; the signal's reason when it is aborted
 */
export async function planRetag(options: RetagOptions): Promise<RetagPlan> {
  const tags = byRepository(options.tags)
  const looked = await settled(
    [...tags].map(([repository, names]) => lookAt(repository, { ...options, tags: names })),
    options.signal,
  )
  if (looked.problems.length > 0) return { kind: 'unknown', problems: looked.problems }
  const wanted = looked.values
  const missing = wanted.filter(({ has }) => !has)
  const holders = wanted.filter(({ has }) => has).map(({ repository }) => repository)

  if (missing.length > 0) {
    // Another repository is asked only where a copy from it would be the better or the only one.
    const others = [...new Set(options.repositories.map(repositoryOf))].filter((name) => !tags.has(name))
    const asked = others.filter(
      (name) =>
        holders.length === 0 ||
        missing.some(({ repository }) => sameRegistry(repository, name) && !nearby(holders, repository)),
    )
    const answers = await settled(
      asked.map(async (name) => ((await holds(name, options)) ? [name] : [])),
      options.signal,
    )
    holders.push(...answers.values.flat())
    if (holders.length === 0) {
      if (answers.problems.length > 0) return { kind: 'unknown', problems: answers.problems }
      return { kind: 'gone', missing: [...tags.keys(), ...asked] }
    }
  }

  const actions = wanted.flatMap(({ repository, has, absent }): readonly RetagAction[] => {
    const source = has ? repository : (nearby(holders, repository) ?? holders[0])
    return absent.length === 0 || source === undefined ? [] : [{ source: `${source}@${options.digest}`, tags: absent }]
  })
  return { kind: 'possible', actions, present: wanted.flatMap(({ present }) => present) }
}

/**
 * Whether every repository holds an image that gets no tags. Never written to: one that lacks it makes it `gone`.
 * @throws InvalidReferenceError; the signal's reason when it is aborted
 */
export async function planHeld(options: Omit<RetagOptions, 'tags'>): Promise<RetagPlan> {
  const names = [...new Set(options.repositories.map(repositoryOf))]
  const answers = await settled(
    names.map(async (name) => ((await holds(name, { ...options, tags: [] })) ? [] : [name])),
    options.signal,
  )
  if (answers.problems.length > 0) return { kind: 'unknown', problems: answers.problems }
  const missing = answers.values.flat()
  return missing.length > 0 ? { kind: 'gone', missing } : { kind: 'possible', actions: [], present: [] }
}

async function lookAt(repository: string, options: RetagOptions): Promise<Wanted> {
  const { client, tags, digest } = options
  const found = await Promise.all(tags.map((tag) => client.findDigest(tag, { signal: options.signal })))
  const right = tags.filter((_, index) => found[index] === digest)
  // A tag that answers with the digest proves that the repository has it.
  const has = await holds(repository, { ...options, proven: right.length > 0 })
  // Tags of an image that has lost a part are written again, after it was copied.
  return has
    ? { repository, has, present: right, absent: tags.filter((tag) => !right.includes(tag)) }
    : { repository, has, present: [], absent: tags }
}

async function holds(
  repository: string,
  { client, digest, manifests = [], signal, proven = false }: RetagOptions & { readonly proven?: boolean },
): Promise<boolean> {
  const digests = new Set([...(proven ? [] : [digest]), ...manifests])
  const answers = [...digests].map((part) => client.hasManifest(repository, part, { signal }))
  return (await Promise.all(answers)).every((there) => there)
}

/** What the registries answered, and in what words those refused that did not. */
async function settled<T>(
  promises: readonly Promise<T>[],
  signal: AbortSignal | undefined,
): Promise<{ readonly values: readonly T[]; readonly problems: readonly Problem[] }> {
  const values: T[] = []
  const problems = new Map<string, Problem>()
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === 'fulfilled') {
      values.push(result.value)
      continue
    }
    const reason: unknown = result.reason
    signal?.throwIfAborted()
    if (!(reason instanceof RegistryError)) throw reason
    problems.set(reason.message, { message: reason.message, mend: reason.mend })
  }
  return { values, problems: [...problems.values()] }
}

/** Full names of tags, each once, by the full name of their repository. */
function byRepository(tags: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const text of new Set(tags.map((tag) => formatReference(withoutDigest(tagNameOnly(parseReference(tag))))))) {
    const repository = repositoryOf(text)
    const group = groups.get(repository)
    if (group === undefined) groups.set(repository, [text])
    else group.push(text)
  }
  return groups
}

function withoutDigest({ domain, path, tag }: ImageReference): ImageReference {
  return { domain, path, tag }
}

function sameRegistry(one: string, other: string): boolean {
  return parseReference(one).domain === parseReference(other).domain
}

/** A holder in the same registry: from there a copy moves no bytes. */
function nearby(holders: readonly string[], repository: string): string | undefined {
  return holders.find((holder) => sameRegistry(holder, repository))
}
