/** Files that a needed stage copies and that the context does not have: the build would fail on them, later. */
import { relative } from 'node:path'
import { ignoreFileFor } from './context/ignore-file.ts'
import { IgnoreMatcher } from './context/ignore-matcher.ts'
import { missingSources, type MissingSource } from './context/missing-sources.ts'
import type { Problem } from './errors.ts'
import { stagesOfAll } from './graph/reachability.ts'
import type { StageGraph } from './graph/stage-graph.ts'
import type { Part } from './project.ts'

/** A context as one ignore file leaves it. */
interface Place {
  readonly directory: string
  readonly matcher: IgnoreMatcher
}

/** Looks for each file once, however many Dockerfiles copy it: a plan looks before and after images are known. */
export class MissingFiles {
  readonly #workspace: string
  readonly #places = new Map<Part, Place>()
  /** By context, ignore file and paths. */
  readonly #looked = new Map<string, Promise<readonly MissingSource[]>>()

  constructor(workspace: string) {
    this.#workspace = workspace
  }

  /** @throws UserError for a broken .dockerignore pattern */
  async problemsOf(
    part: Part,
    { graph, stages }: { readonly graph: StageGraph; readonly stages: readonly number[] },
  ): Promise<{ readonly errors: readonly Problem[]; readonly warnings: readonly Problem[] }> {
    const errors: Problem[] = []
    const warnings: Problem[] = []
    const place = this.#placeOf(part)
    for (const index of stagesOfAll(graph, stages)) {
      const stage = graph.stages[index]
      // A variable from the base image's configuration may stand in a path: then nothing can be said beforehand.
      if (stage === undefined || stage.replacedByContext !== undefined || stage.undefinedVariables.length > 0) continue
      for (const read of stage.reads.filter((candidate) => !candidate.parents)) {
        for (const missing of await this.#look(place, read.paths)) {
          const problem = { message: missing.message, mend: missing.mend, file: part.dockerfileName, line: read.line }
          if (missing.kind === 'no-match') warnings.push(problem)
          else errors.push(problem)
        }
      }
    }
    return { errors, warnings }
  }

  #placeOf(part: Part): Place {
    const known = this.#places.get(part) ?? this.#open(part)
    this.#places.set(part, known)
    return known
  }

  #open({ dockerfilePath, contextDir }: Part): Place {
    const ignore = ignoreFileFor(dockerfilePath, contextDir)
    const matcher = new IgnoreMatcher({ ...ignore, name: relative(this.#workspace, ignore.name) })
    return { directory: contextDir, matcher }
  }

  async #look({ directory, matcher }: Place, paths: readonly string[]): Promise<readonly MissingSource[]> {
    const key = JSON.stringify([directory, matcher.name, paths])
    const known = this.#looked.get(key) ?? missingSources(directory, matcher, paths)
    this.#looked.set(key, known)
    return await known
  }
}
