/**
 * Text to a Dockerfile: all of this room in order. Nothing is expanded and no stage is resolved here.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toDispatchState)
 */
import { buildInstruction, type BuiltInstruction, type InstructionSource } from './build-instruction.ts'
import { detectCheck, detectSyntax, isDockerfileFrontend, parseCheck, type CheckOptions } from './directives.ts'
import {
  DockerfileError,
  SyntaxFault,
  type DockerfileWarning,
  type ErrorPhase,
  type LineRange,
} from './dockerfile-error.ts'
import { lintFrom } from './from-casing.ts'
import { heredocsOfLine } from './heredoc.ts'
import type { ArgInstruction, Dockerfile, FromInstruction, StageBlock, StageInstruction } from './instructions.ts'
import { LineReader, MAX_LINE_BYTES, type LogicalLine } from './lines.ts'
import { mendFor } from './mends.ts'
import { canHoldHeredocs, parseStatement } from './statements.ts'

const NO_CHECK: CheckOptions = { skip: new Set(), skipAll: false, error: false }

/**
 * Reads a Dockerfile. It never throws: everything wrong is in `errors`, in BuildKit's order.
 * `above` is how many lines stand above it, where it is written in another file.
 */
export function parseDockerfile(text: string, above = 0): Dockerfile {
  const errors: DockerfileError[] = []
  const warnings: DockerfileWarning[] = []
  const failure = collector(errors)
  if (text === '') failure(new SyntaxFault('the Dockerfile cannot be empty'), 'read')
  const checkOptions =
    failure.guard('check', undefined, '', () => {
      try {
        return parseCheck(detectCheck(text))
      } catch (error) {
        throw error instanceof SyntaxFault ? new SyntaxFault(`failed to parse check options: ${error.message}`) : error
      }
    }) ?? NO_CHECK
  const syntax = detectSyntax(text)
  const reader = new LineReader(text, above)
  const sources = text === '' ? [] : readStatements(reader, failure, warnings)
  const { globalArgs, stages } = collectStages(sources, failure, warnings)
  if (errors.length === 0 && stages.length === 0) {
    failure(new SyntaxFault('dockerfile contains no stages to build'), 'instructions')
  }
  if (syntax !== undefined && !isDockerfileFrontend(syntax)) warnings.push(unknownSyntax(syntax, above + 1))
  return { globalArgs, stages, escape: reader.escape, syntax, check: checkOptions, errors, warnings }
}

function unknownSyntax(image: string, line: number): DockerfileWarning {
  const message = `The frontend ${image} is not known: the Dockerfile is read as docker/dockerfile would read it.`
  return { rule: 'UnknownSyntax', message, line, endLine: line }
}

interface Collector {
  (fault: SyntaxFault, phase: ErrorPhase, range?: LineRange, text?: string): void
  /** Runs a step; a fault in it is recorded and gives undefined. */
  guard: <T>(phase: ErrorPhase, range: LineRange | undefined, text: string, step: () => T) => T | undefined
}

function collector(errors: DockerfileError[]): Collector {
  const record = (fault: SyntaxFault, phase: ErrorPhase, range?: LineRange, text = ''): void => {
    errors.push(new DockerfileError(fault.message, { phase, range, mend: mendFor(fault.message, text) }))
  }
  const guard: Collector['guard'] = (phase, range, text, step) => {
    try {
      return step()
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      record(error, phase, range, text)
      return undefined
    }
  }
  return Object.assign(record, { guard })
}

/** What BuildKit's parser does with the whole file before any instruction is looked at. */
function readStatements(reader: LineReader, failure: Collector, warnings: DockerfileWarning[]): InstructionSource[] {
  const sources: InstructionSource[] = []
  let found = 0
  for (;;) {
    const before = reader.line
    const logical = nextLine(reader, failure)
    if (logical === 'faulty') continue
    if (logical === undefined) break
    found++
    if (logical.emptyContinuation) {
      const message = 'Empty continuation line'
      warnings.push({ rule: 'NoEmptyContinuation', message, line: logical.endLine, endLine: logical.endLine })
    }
    const source = readStatement(reader, logical, failure)
    if (source !== undefined) sources.push(source)
    if (reader.line === before) break
  }
  const end = { line: Math.max(1, reader.line), endLine: Math.max(1, reader.line) }
  if (found === 0) failure(new SyntaxFault('file with no instructions'), 'parse', end)
  else if (reader.tooLong) {
    const range = { line: reader.line + 1, endLine: reader.line + 1 }
    failure(new SyntaxFault(`dockerfile line greater than max allowed size of ${MAX_LINE_BYTES}`), 'parse', range)
  }
  return sources
}

function nextLine(reader: LineReader, failure: Collector): LogicalLine | 'faulty' | undefined {
  try {
    return reader.next()
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    failure(error, 'parse', { line: reader.line, endLine: reader.line })
    return 'faulty'
  }
}

function readStatement(reader: LineReader, logical: LogicalLine, failure: Collector): InstructionSource | undefined {
  const { text, line, endLine } = logical
  const statement = failure.guard('parse', { line, endLine }, text, () => parseStatement(text, reader.escape))
  if (statement === undefined) return undefined
  try {
    const starts = canHoldHeredocs(statement) ? heredocsOfLine(text) : []
    const heredocs = starts.map((start) => reader.readHeredoc(start))
    return { statement, heredocs, line, endLine: reader.line }
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    failure(error, 'parse', { line, endLine: reader.line }, text)
    return undefined
  }
}

interface Blocks {
  readonly globalArgs: readonly ArgInstruction[]
  readonly stages: readonly StageBlock[]
}

function collectStages(
  sources: readonly InstructionSource[],
  failure: Collector,
  warnings: DockerfileWarning[],
): Blocks {
  const globalArgs: ArgInstruction[] = []
  const stages: { from: FromInstruction; instructions: StageInstruction[] }[] = []
  let strayed = false
  let brokenFrom = false
  for (const source of sources) {
    warnings.push(...lintFrom(source.statement, source))
    const built = build(source, failure)
    brokenFrom ||= built === undefined && source.statement.keyword === 'FROM'
    if (built === undefined) continue
    const { instruction, unknownFlags } = built
    const { line, endLine } = source
    for (const message of unknownFlags) warnings.push({ rule: 'UnknownFlag', message, line, endLine })
    const stage = stages.at(-1)
    if (instruction.keyword === 'FROM') stages.push({ from: instruction, instructions: [] })
    else if (stage !== undefined) stage.instructions.push(instruction)
    else if (instruction.keyword === 'ARG') globalArgs.push(instruction)
    else if (!strayed && !brokenFrom) {
      // Said once: every instruction up to the first FROM strays.
      strayed = true
      failure(new SyntaxFault('no build stage in current context'), 'instructions', { line, endLine })
    }
  }
  return { globalArgs, stages }
}

function build(source: InstructionSource, failure: Collector): BuiltInstruction | undefined {
  const { line, endLine, statement } = source
  return failure.guard('instructions', { line, endLine }, statement.text, () => {
    try {
      return buildInstruction(source)
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      throw new SyntaxFault(`dockerfile parse error on line ${line}: ${error.message}`)
    }
  })
}

/**
 * Reads the one instruction of an ONBUILD trigger; `line` is the FROM's that it runs for.
 * @throws SyntaxFault in BuildKit's words
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (initOnBuildTriggers)
 */
export function parseTrigger(trigger: string, { line, endLine }: LineRange): StageInstruction {
  const errors: DockerfileError[] = []
  const sources = readStatements(new LineReader(trigger), collector(errors), [])
  if (errors[0] !== undefined) throw new SyntaxFault(errors[0].message)
  const [source] = sources
  if (source === undefined || sources.length !== 1)
    throw new SyntaxFault('onbuild trigger should be a single expression')
  const { instruction } = buildInstruction({ ...source, line, endLine })
  if (instruction.keyword === 'FROM') throw new SyntaxFault('*instructions.Stage is not a command type')
  return instruction
}
