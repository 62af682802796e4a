/**
 * What a parsed Dockerfile is. The types only: `parse.ts` makes them. Texts are as written: no variable is expanded here.
 */
import type { Pair } from './arguments.ts'
import type { CheckOptions, EscapeCharacter } from './directives.ts'
import type { DockerfileError, DockerfileWarning } from './dockerfile-error.ts'
import type { Flag } from './flags.ts'
import type { Heredoc } from './heredoc.ts'
import type { MountFlag } from './mount.ts'

/** What every instruction has. */
interface Common {
  /** The keyword as written (`from`, `From`). */
  readonly written: string
  /**
   * The logical line: continuations joined, comments within it gone, blanks around it trimmed. With `heredocs` it is the
   * whole instruction, so equal texts mean equal instructions.
   */
  readonly text: string
  /** 1-based physical lines, heredoc bodies included. */
  readonly line: number
  readonly endLine: number
  /** Known flags, in order, quotes and escapes removed. */
  readonly flags: readonly Flag[]
  /** The arguments after the flags: JSON's strings, or as the instruction splits them. */
  readonly args: readonly string[]
  /** The arguments were a JSON array (exec form). */
  readonly json: boolean
  readonly heredocs: readonly Heredoc[]
}

export interface FromInstruction extends Common {
  readonly keyword: 'FROM'
  readonly base: string
  /** Lower-cased; undefined without AS. */
  readonly name: string | undefined
  /** `--platform` as written; undefined where absent or empty. */
  readonly platform: string | undefined
}

export interface ArgPair {
  readonly name: string
  /** The default, its quotes kept; undefined without `=`. */
  readonly value: string | undefined
}

export interface ArgInstruction extends Common {
  readonly keyword: 'ARG'
  readonly pairs: readonly ArgPair[]
}

export interface PairsInstruction extends Common {
  readonly keyword: 'ENV' | 'LABEL'
  /** Quotes kept. */
  readonly pairs: readonly Pair[]
}

interface Transfer extends Common {
  /** Paths, URLs and Git references, as written; heredocs are in `heredocSources`. */
  readonly sources: readonly string[]
  /** The heredocs among the sources; the file is named as the heredoc. */
  readonly heredocSources: readonly Heredoc[]
  readonly destination: string
  readonly chown: string
  readonly chmod: string
  readonly link: boolean
  readonly exclude: readonly string[]
}

export interface CopyInstruction extends Transfer {
  readonly keyword: 'COPY'
  /** Empty where it copies from the build context. */
  readonly from: string
  readonly parents: boolean
}

export interface AddInstruction extends Transfer {
  readonly keyword: 'ADD'
  readonly checksum: string
}

export interface RunInstruction extends Common {
  readonly keyword: 'RUN'
  readonly mounts: readonly MountFlag[]
  readonly network: string
  readonly security: string
}

export interface OnbuildInstruction extends Common {
  readonly keyword: 'ONBUILD'
  /** The text of the trigger, its heredocs appended: what an image's configuration would hold. */
  readonly trigger: string
}

export interface OtherInstruction extends Common {
  readonly keyword:
    | 'CMD'
    | 'ENTRYPOINT'
    | 'EXPOSE'
    | 'HEALTHCHECK'
    | 'MAINTAINER'
    | 'SHELL'
    | 'STOPSIGNAL'
    | 'USER'
    | 'VOLUME'
    | 'WORKDIR'
}

/** An instruction inside a stage. */
export type StageInstruction =
  | ArgInstruction
  | PairsInstruction
  | CopyInstruction
  | AddInstruction
  | RunInstruction
  | OnbuildInstruction
  | OtherInstruction

export type Instruction = FromInstruction | StageInstruction
export type Keyword = Instruction['keyword']

/** A `FROM` and the instructions up to the next one. */
export interface StageBlock {
  readonly from: FromInstruction
  readonly instructions: readonly StageInstruction[]
}

export interface Dockerfile {
  /** ARGs before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[]
  readonly stages: readonly StageBlock[]
  readonly escape: EscapeCharacter
  /** The image of `# syntax=`, as written. */
  readonly syntax: string | undefined
  readonly check: CheckOptions
  /** In BuildKit's order: the first is what BuildKit says. With one, `stages` is what could be read nevertheless. */
  readonly errors: readonly DockerfileError[]
  readonly warnings: readonly DockerfileWarning[]
}
