/** The `plan` output of another job, read strictly: what `mode: report` needs of it. Pure. */
import { UserError } from '../errors.ts'
import { field } from '../json-fields.ts'
import { digestFault, InvalidReferenceError, parseReference } from '../images/reference.ts'
import type { PlanTarget } from './plan.ts'

export interface PlannedTarget extends Pick<PlanTarget, 'name' | 'status' | 'tags' | 'image'> {
  /** As it was given: whoever reads it checks it. */
  readonly sizes: unknown
  readonly since: string | undefined
  /** Where they are not the plan's. */
  readonly file?: string | undefined
  readonly platforms?: readonly string[] | undefined
}

export interface GivenPlan {
  readonly id: string
  readonly file: string
  readonly platforms: readonly string[]
  /** Legs build a platform each. */
  readonly isSplit: boolean
  readonly targets: readonly PlannedTarget[]
}

const MOST_TARGETS = 1_000
const LONGEST = 500

/**
 * A plan, as far as a report needs it.
 * @throws UserError where the text is no plan of this version
 */
export function readPlanInput(text: string): GivenPlan {
  const json = parsed(text)
  const version = field(json, 'version')
  if (version !== 1) {
    const newer = typeof version === 'number' && version > 1
    throw broken(newer ? `it is of version ${version}, and this is version 1` : 'it is no plan', newer)
  }
  const targets = field(json, 'targets')
  if (!Array.isArray(targets) || targets.length > MOST_TARGETS) throw broken('its targets cannot be read')
  const [id, file, platforms] = ['id', 'file', 'platforms'].map((key) => field(json, key))
  if (!isText(file) || (id !== undefined && !isText(id))) throw broken('its Dockerfile cannot be read')
  if (!Array.isArray(platforms) || !platforms.every(isText)) throw broken('its platforms cannot be read')
  const isSplit = field(json, 'matrixBy') === 'platform'
  return { id: id ?? file, file, platforms, isSplit, targets: targets.map(targetOf) }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST
}

function targetOf(value: unknown): PlannedTarget {
  const [name, status, tags, image] = ['name', 'status', 'tags', 'image'].map((key) => field(value, key))
  if (typeof name !== 'string' || (status !== 'changed' && status !== 'unchanged'))
    throw broken('a target cannot be read')
  const [sizes, since, file, platforms] = ['sizes', 'since', 'file', 'platforms'].map((key) => field(value, key))
  const areTexts = Array.isArray(platforms) && platforms.every(isText)
  if ((file !== undefined && !isText(file)) || (platforms !== undefined && !areTexts))
    throw broken('the place of a target cannot be read')
  return {
    ...{ name, status, tags: references(tags), sizes, file, platforms: areTexts ? platforms : undefined },
    since: typeof since === 'string' && /^[0-9a-f]{40,64}$/.test(since) ? since : undefined,
    ...(image === undefined ? {} : { image: imageOf(image) }),
  }
}

function imageOf(value: unknown): NonNullable<PlannedTarget['image']> {
  const digest = field(value, 'digest')
  if (typeof digest !== 'string' || digestFault(digest) !== undefined)
    throw broken('the digest of an image cannot be read')
  return { digest, repositories: references(field(value, 'repositories')) }
}

function references(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw broken('the tags of a target cannot be read')
  return (value as readonly unknown[]).map((item) => {
    if (typeof item !== 'string') throw broken('a tag is no text')
    try {
      parseReference(item)
      return item
    } catch (error) {
      if (error instanceof InvalidReferenceError)
        throw broken(`${JSON.stringify(item.slice(0, 100))} is no image reference`)
      throw error
    }
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw broken('it is no JSON')
  }
}

function broken(what: string, isNewer = false): UserError {
  return new UserError({
    input: 'plan',
    message: `\`plan\` cannot be used: ${what}.`,
    mend: isNewer
      ? 'Use the same version of stage-build in every job of the workflow.'
      : 'Give the `plan` output of a stage-build step with `mode: plan`, as it is.',
  })
}
