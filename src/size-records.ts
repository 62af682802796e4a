/** From what a step built, or found unchanged, to size records: what reports are made from, here or in a later job. Pure. */
import type { Built } from './built.ts'
import { runAttempt } from './handover/fork-run.ts'
import type { Candidate } from './known-records.ts'
import type { RecordedRun, SizeRecord } from './measure/size-record.ts'
import type { Planned } from './planning.ts'
import type { Project } from './project.ts'
import { recordedSizes } from './record-parts.ts'

interface Place {
  readonly planned: Pick<Planned, 'targets' | 'graph' | 'partOf' | 'tagsOf' | 'fingerprints'>
  readonly project: Pick<Project, 'id' | 'dockerfileName'>
}

/** The record of every target of this run, also of one that failed. */
export function sizeRecords(
  place: Place & {
    readonly built: Built
    readonly env: NodeJS.ProcessEnv
    /** The commit that a reader knows: the head of a pull request. */
    readonly commit: string | undefined
    /** Milliseconds since the epoch. */
    readonly now: number
  },
): readonly SizeRecord[] {
  const { planned, project, built, env, commit, now } = place
  return planned.targets.map(({ name, stage }): SizeRecord => {
    const image = built.images.find(({ target }) => target === name)
    const { part, platforms } = planned.partOf(name)
    const status = image === undefined ? 'failed' : built.unchanged.has(name) ? 'unchanged' : 'built'
    return {
      ...{ version: 1, id: project.id, target: name, file: part.dockerfileName, status, commit },
      ref: env['GITHUB_REF'],
      createdAt: new Date(now).toISOString(),
      run: runOf(env),
      line: planned.graph.stages[stage]?.line,
      ...(status === 'failed' ? { failure: failureOf(name, built) } : {}),
      tags: planned.tagsOf.get(name) ?? [],
      ...(image?.digest === undefined ? {} : { digest: image.digest }),
      platforms: image?.sizes?.platforms ?? [],
      wantedPlatforms: platforms,
      fingerprint: planned.fingerprints.prints.get(name)?.fingerprint,
    }
  })
}

function failureOf(name: string, { failed, problems }: Built): string {
  const own = failed.get(name)?.message
  if (own !== undefined) return own
  // Nothing stands against it: it was stopped with the others.
  const [first] = problems
  return first === undefined ? 'The build failed.' : `It was stopped, since the build failed: ${first.message}`
}

/** What the cache remembers of an earlier build, as a size record; undefined where it was not measured. */
export function sizeRecordOf(
  name: string,
  { record, ref }: Candidate,
  { project, planned, env }: Place & { readonly env: NodeJS.ProcessEnv },
): SizeRecord | undefined {
  const sizes = recordedSizes(record)
  if (sizes === undefined) return undefined
  const stage = planned.targets.find((target) => target.name === name)?.stage
  const file = stage === undefined ? project.dockerfileName : planned.partOf(name).part.dockerfileName
  return {
    ...{ version: 1, id: project.id, target: name, file, status: 'built', ref, tags: [] },
    ...{ commit: record.commit, createdAt: record.createdAt, fingerprint: record.fingerprint },
    run: record.run === undefined ? undefined : runOf({ ...env, GITHUB_RUN_ID: record.run, GITHUB_RUN_ATTEMPT: '1' }),
    line: stage === undefined ? undefined : planned.graph.stages[stage]?.line,
    platforms: sizes.platforms,
  }
}

function runOf(env: NodeJS.ProcessEnv): RecordedRun | undefined {
  const id = env['GITHUB_RUN_ID']
  if (id === undefined || !/^\d+$/.test(id)) return undefined
  return { id, attempt: runAttempt(env), url: runUrl(env, id) }
}

/** `https://github.com`, or an Enterprise Server. */
export function serverUrl(env: NodeJS.ProcessEnv): string {
  return env['GITHUB_SERVER_URL'] ?? 'https://github.com'
}

/** The page of a run of this repository; undefined away from GitHub. */
export function runUrl(env: NodeJS.ProcessEnv, id: string | undefined): string | undefined {
  const repository = env['GITHUB_REPOSITORY'] ?? ''
  return id === undefined || repository === '' ? undefined : `${serverUrl(env)}/${repository}/actions/runs/${id}`
}
