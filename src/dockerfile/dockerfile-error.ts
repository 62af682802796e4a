/**
 * What a Dockerfile problem is: BuildKit's own words, the lines, when BuildKit would say it, for whom it counts, and what
 * to do. It does not decide whether a problem counts for a target: that is `src/graph/`.
 */

/**
 * When BuildKit finds the problem. It stops at the first, so the order of the phases is the order of its errors:
 * nothing of a later phase is seen while an earlier one fails.
 */
export type ErrorPhase =
  | 'read'
  | 'check'
  | 'parse'
  | 'instructions'
  | 'meta-args'
  | 'states'
  | 'target'
  | 'graph'
  | 'resolve'
  | 'dispatch'
  | 'finalize'

/**
 * For whom the problem counts: `always`; `reachable-only`: a target that needs the stage; `target`: that very target;
 * `lint`: anyone, because the file asks for it with `# check=error=true`.
 */
export type ErrorScope = 'always' | 'reachable-only' | 'target' | 'lint'

/** Where a problem is: 1-based lines, or undefined where it has none (an empty file). */
export interface LineRange {
  readonly line: number
  readonly endLine: number
}

export interface DockerfileErrorFields {
  readonly phase: ErrorPhase
  readonly scope?: ErrorScope | undefined
  readonly range?: LineRange | undefined
  readonly mend?: string | undefined
  /** The stage at fault, by index; needed for the scope `reachable-only`. */
  readonly stage?: number | undefined
}

/** One problem of a Dockerfile. `message` is BuildKit's, to the letter. */
export class DockerfileError extends Error {
  readonly phase: ErrorPhase
  readonly scope: ErrorScope
  readonly line: number | undefined
  readonly endLine: number | undefined
  readonly mend: string | undefined
  readonly stage: number | undefined

  constructor(message: string, fields: DockerfileErrorFields) {
    super(message)
    this.name = 'DockerfileError'
    this.phase = fields.phase
    this.scope = fields.scope ?? 'always'
    this.line = fields.range?.line
    this.endLine = fields.range?.endLine
    this.mend = fields.mend
    this.stage = fields.stage
  }
}

/** What BuildKit's linter would say, or what this parser wants known; never stops a build. */
export interface DockerfileWarning {
  /** BuildKit's rule name, or `UnknownFlag`, `UnknownSyntax`. */
  readonly rule: string
  readonly message: string
  readonly line: number
  readonly endLine: number
}

/** Thrown inside this room where an instruction or a word is wrong; always caught and given its place. */
export class SyntaxFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SyntaxFault'
  }
}
