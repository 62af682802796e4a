/**
 * What sizes are compared with (DESIGN §8): what the input `baseline` names, the record of the very base commit, the
 * nearest ancestor's, the image in the registry, or nothing. Never rejects: what is wrong with a baseline is a warning.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Problem } from './errors.ts'
import { listFirstParents } from './github/base-commits.ts'
import type { GithubClient } from './github/rest-client.ts'
import type { KnownRecords } from './known-records.ts'
import type { BaselineFacts } from './measure/comparison.ts'
import { readBaselineFile } from './measure/baseline-file.ts'
import type { SizeRecord } from './measure/size-record.ts'
import type { IndexSource } from './cache/index-loader.ts'
import type { Planned } from './planning.ts'
import type { Project } from './project.ts'
import { registryRecords, shippedTags } from './registry-baseline.ts'
import type { RegistryClient } from './images/registry-client.ts'
import { sizeRecordOf } from './size-records.ts'

export interface Baseline {
  readonly facts: BaselineFacts
  readonly records: readonly SizeRecord[]
  readonly warnings: readonly Problem[]
}

export interface BaselineQuestion {
  /** The input. */
  readonly baseline: string | undefined
  /** The commit that a comparison should be with; undefined where none is known. */
  readonly wanted: string | undefined
  /** Short name of its branch. */
  readonly branch: string | undefined
  readonly planned: Planned
  readonly project: Project
  /** Undefined where there is no cache. */
  readonly records: KnownRecords | undefined
  /** Records that builds of certain commits left. */
  readonly recordsOf: (commits: readonly string[]) => Promise<KnownRecords | undefined>
  /** Undefined away from GitHub. */
  readonly github: { readonly client: GithubClient; readonly repository: string } | undefined
  readonly registry: RegistryClient
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

/** Commits that are gone through for the nearest ancestor. */
const MOST_ANCESTORS = 100
/** Of these, entries are looked for. */
const NEAREST = 7

/** Finds the baseline of every target that has one. */
export async function findBaseline(question: BaselineQuestion): Promise<Baseline> {
  try {
    return await find(question)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return none(question, [{ message: `Sizes are compared with nothing: the baseline could not be read (${reason}).` }])
  }
}

async function find(question: BaselineQuestion): Promise<Baseline> {
  const { baseline } = question
  if (baseline === undefined) return await ofBase(question, question.wanted)
  if (/^[0-9a-f]{7,64}$/.test(baseline)) return asInput(await ofCommit(question, baseline), question)
  if (/\.json$/i.test(baseline)) return asInput(await ofFile(question, baseline), question)
  const images = new Map(question.planned.targets.map(({ name }) => [name, baseline.replaceAll('{target}', name)]))
  return asInput(await ofRegistry(question, images, 'what `baseline` names'), question)
}

/** That commit and no other: from what this run has read, and failing that, from the entries of the commit. */
async function ofCommit(question: BaselineQuestion, commit: string): Promise<Baseline> {
  const exact = (known: KnownRecords | undefined): readonly SizeRecord[] =>
    question.planned.targets.flatMap(
      ({ name }) => measuredRecords(known, name, question).find((record) => record.commit?.startsWith(commit)) ?? [],
    )
  const read = exact(question.records)
  const records = read.length > 0 ? read : exact(await question.recordsOf([commit]))
  return { facts: { ...nothing(question), commit: records[0]?.commit }, records, warnings: [] }
}

function asInput(found: Baseline, { baseline }: BaselineQuestion): Baseline {
  if (found.records.length > 0) return { ...found, facts: { ...found.facts, source: 'input', distance: undefined } }
  const known: Problem = {
    input: 'baseline',
    message: `\`baseline\`: nothing is known of \`${baseline ?? ''}\`, so sizes are compared with nothing.`,
    mend: 'Name a commit that this workflow built on the base branch, an image, or a file with the `sizes` output.',
  }
  return { ...found, warnings: found.warnings.length > 0 ? found.warnings : [known] }
}

async function ofFile(question: BaselineQuestion, path: string): Promise<Baseline> {
  const { project } = question
  let text = ''
  try {
    text = await readFile(resolve(project.workspace, path), 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read'
    return none(question, [fileProblem(path, `cannot be read (${reason})`)])
  }
  const read = readBaselineFile(text, project.id)
  if (read.kind === 'refused') return none(question, [fileProblem(path, `is of no use: ${read.reason}`)])
  const commits = new Set(read.records.map(({ commit }) => commit))
  const commit = commits.size === 1 ? [...commits][0] : undefined
  return { facts: { ...nothing(question), source: 'input', commit }, records: read.records, warnings: [] }
}

function fileProblem(path: string, what: string): Problem {
  return {
    input: 'baseline',
    message: `\`baseline\`: \`${path}\` ${what}, so sizes are compared with nothing.`,
    mend: 'Name a file with the `sizes` output of an earlier run.',
  }
}

interface Found {
  readonly record: SizeRecord
  /** First-parent commits before the one that is wanted; undefined where it is not known. */
  readonly distance: number | undefined
}

async function ofBase(question: BaselineQuestion, wanted: string | undefined): Promise<Baseline> {
  const { planned, records, env } = question
  const names = planned.targets.map(({ name }) => name)
  const isWanted = ({ commit }: SizeRecord): boolean => wanted !== undefined && commit?.startsWith(wanted) === true
  const found = new Map<string, Found>()
  const latest = new Map<string, SizeRecord>()
  for (const name of names) {
    const all = measuredRecords(records, name, question)
    const exact = all.find(isWanted)
    if (exact !== undefined) found.set(name, { record: exact, distance: 0 })
    else if (all[0] !== undefined) latest.set(name, all[0])
  }
  if (latest.size > 0) await addAncestors(found, latest, question, wanted)
  if (found.size === 0 && wanted !== undefined) {
    const images = shippedTags(planned, { sha: env['GITHUB_SHA'] ?? '', wanted })
    if (images.size > 0) return await ofRegistry(question, images, 'the image of the base commit')
  }
  if (found.size === 0) return none(question)
  // Records of a target that this run does not build: whether it is gone can be told.
  const others = (records === undefined ? [] : sourcesOf(env).flatMap((source) => records.names(source)))
    .filter((name) => !names.includes(name))
    .flatMap((name) => measuredRecords(records, name, question).find(isWanted) ?? [])
  return {
    facts: factsOf([...found.values()], question, wanted),
    records: [...[...found.values()].map(({ record }) => record), ...others],
    warnings: [],
  }
}

/** The farthest speaks for all. */
function factsOf(found: readonly Found[], question: BaselineQuestion, wanted: string | undefined): BaselineFacts {
  const distances = found.map(({ distance }) => distance)
  const unknown = found.find(({ distance }) => distance === undefined)
  const farthest = unknown ?? found.toSorted((a, b) => (b.distance ?? 0) - (a.distance ?? 0))[0]
  const isExact = distances.every((distance) => distance === 0)
  return {
    ...{ wanted, branch: question.branch, commit: farthest?.record.commit, url: farthest?.record.run?.url },
    ...{ source: isExact ? 'exact' : 'ancestor', distance: farthest?.distance },
  }
}

/** Of targets that have no record of the wanted commit: the nearest before it, and failing that what was built last. */
async function addAncestors(
  found: Map<string, Found>,
  latest: ReadonlyMap<string, SizeRecord>,
  question: BaselineQuestion,
  wanted: string | undefined,
): Promise<void> {
  const line = wanted === undefined ? undefined : await firstParents(question, wanted)
  const distanceOf = ({ commit = '' }: SizeRecord): number | undefined => {
    const distance = line?.indexOf(commit) ?? -1
    return distance === -1 ? undefined : distance
  }
  const unplaced = [...latest].filter(([, record]) => distanceOf(record) === undefined)
  const older =
    line === undefined || unplaced.length === 0 ? undefined : await question.recordsOf(line.slice(1, 1 + NEAREST))
  for (const [name, record] of latest) {
    const candidates = [record, ...measuredRecords(older, name, question)]
    const placed = candidates.map((candidate) => ({ record: candidate, distance: distanceOf(candidate) }))
    const known = placed.filter(({ distance }) => distance !== undefined)
    const nearest = known.toSorted((a, b) => (a.distance ?? 0) - (b.distance ?? 0))[0]
    found.set(name, nearest ?? { record, distance: undefined })
  }
}

async function firstParents({ github }: BaselineQuestion, wanted: string): Promise<readonly string[] | undefined> {
  if (github === undefined || !/^[0-9a-f]{40,64}$/.test(wanted)) return undefined
  const line = await listFirstParents(github.client, github.repository, wanted, MOST_ANCESTORS)
  return line.ok ? line.value : undefined
}

/** Of the branch that is compared with; where nothing is known of it, of the default branch. */
function measuredRecords(
  records: KnownRecords | undefined,
  name: string,
  question: BaselineQuestion,
): readonly SizeRecord[] {
  for (const source of sourcesOf(question.env)) {
    const found = (records?.measured(name, source) ?? []).flatMap(
      (candidate) => sizeRecordOf(name, candidate, question) ?? [],
    )
    if (found.length > 0) return found
  }
  return []
}

/** Only runs of a base branch leave baselines: what a pull request built before says nothing of its base. */
function sourcesOf(env: NodeJS.ProcessEnv): readonly IndexSource[] {
  const isOfBranch = (env['GITHUB_BASE_REF'] ?? '') === '' && env['GITHUB_EVENT_NAME'] !== 'merge_group'
  return isOfBranch ? ['own', 'default'] : ['base', 'default']
}

async function ofRegistry(
  question: BaselineQuestion,
  images: ReadonlyMap<string, string>,
  what: string,
): Promise<Baseline> {
  const { records, problem } = await registryRecords(images, question)
  if (records.length === 0) {
    const reason =
      problem === undefined || question.baseline === undefined
        ? []
        : [{ ...problem, message: `${what}: ${problem.message}` }]
    return none(question, reason)
  }
  const { wanted } = question
  return { facts: { ...nothing(question), source: 'registry', commit: wanted, distance: 0 }, records, warnings: [] }
}

function nothing({ wanted, branch }: BaselineQuestion): BaselineFacts {
  return { wanted, branch, commit: undefined, source: 'none', distance: undefined }
}

function none(question: BaselineQuestion, warnings: readonly Problem[] = []): Baseline {
  return { facts: nothing(question), records: [], warnings }
}
