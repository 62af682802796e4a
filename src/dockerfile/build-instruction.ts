/**
 * A statement to an instruction: what each instruction asks of its flags and arguments.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/parse.go
 */
import { SyntaxFault } from './dockerfile-error.ts'
import { flagValue, flagValues, readFlags, type Flag, type FlagKinds } from './flags.ts'
import { goQuote, trimSpace } from './go-text.ts'
import { checkHealthcheck } from './healthcheck.ts'
import { parseHeredoc, type Heredoc } from './heredoc.ts'
import type { AddInstruction, ArgPair, CopyInstruction, FromInstruction, Instruction, Keyword } from './instructions.ts'
import { mountSource } from './mount.ts'
import { INSTRUCTION_NAMES, type Statement } from './statements.ts'
import { withSuggestion } from './suggest.ts'

const FLAGS: Partial<Record<Keyword, FlagKinds>> = {
  FROM: { platform: 'string' },
  COPY: { from: 'string', chown: 'string', chmod: 'string', link: 'bool', parents: 'bool', exclude: 'strings' },
  ADD: {
    ...{ chown: 'string', chmod: 'string', link: 'bool', exclude: 'strings' },
    ...{ 'keep-git-dir': 'bool', checksum: 'string', unpack: 'bool' },
  },
  RUN: { mount: 'strings', network: 'string', security: 'string', device: 'strings' },
  HEALTHCHECK: {
    ...{ interval: 'string', timeout: 'string', 'start-period': 'string' },
    ...{ 'start-interval': 'string', retries: 'string' },
  },
}

/** A newer frontend may know more flags of these. */
const TOLERANT: ReadonlySet<Keyword> = new Set(['COPY', 'ADD', 'RUN'])

export interface InstructionSource {
  readonly statement: Statement
  readonly heredocs: readonly Heredoc[]
  readonly line: number
  readonly endLine: number
}

export interface BuiltInstruction {
  readonly instruction: Instruction
  /** Messages about flags that are not known. */
  readonly unknownFlags: readonly string[]
}

/** @throws SyntaxFault in BuildKit's words, without the line */
export function buildInstruction(source: InstructionSource): BuiltInstruction {
  const { statement } = source
  const { keyword } = statement
  if (keyword === undefined) {
    const message = `unknown instruction: ${statement.written}`
    throw new SyntaxFault(withSuggestion(message, statement.written, INSTRUCTION_NAMES, { caseSensitive: false }))
  }
  checkArgumentsFirst(keyword, statement)
  // ARG and STOPSIGNAL drop their flags unread, and so does HEALTHCHECK NONE.
  const unread = keyword === 'ARG' || keyword === 'STOPSIGNAL' || isNoHealthcheck(statement)
  const { flags, unknown } = unread
    ? { flags: [], unknown: [] }
    : readFlags(statement.flags, FLAGS[keyword] ?? {}, TOLERANT.has(keyword))
  return { instruction: build(keyword, source, flags), unknownFlags: unknown }
}

/** What is looked at before the flags. */
function checkArgumentsFirst(keyword: Keyword, { args }: Statement): void {
  switch (keyword) {
    case 'FROM':
      stageName(args)
      return
    case 'COPY':
    case 'ADD':
      if (args.length >= 2) return
      throw new SyntaxFault(
        `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
      )
    case 'MAINTAINER':
    case 'STOPSIGNAL':
    case 'USER':
    case 'WORKDIR':
      if (args.length !== 1) throw new SyntaxFault(`${keyword} requires exactly one argument`)
      return
    case 'ARG':
    case 'EXPOSE':
    case 'HEALTHCHECK':
    case 'ONBUILD':
    case 'VOLUME':
      if (args.length === 0) throw new SyntaxFault(`${keyword} requires at least one argument`)
      return
    case 'CMD':
    case 'ENTRYPOINT':
    case 'ENV':
    case 'LABEL':
    case 'RUN':
    case 'SHELL':
      return
  }
}

function build(keyword: Keyword, source: InstructionSource, flags: readonly Flag[]): Instruction {
  const { statement, heredocs, line, endLine } = source
  const { written, text, args, json } = statement
  const common = { written, text, line, endLine, flags, args, json, heredocs }
  switch (keyword) {
    case 'FROM':
      return { ...common, keyword, ...fromFields(args, flags) }
    case 'COPY':
      return {
        ...{ ...common, keyword, ...transferFields(keyword, source, flags) },
        ...{ from: flagValue(flags, 'from'), parents: flagValue(flags, 'parents') === 'true' },
      }
    case 'ADD':
      return {
        ...{ ...common, keyword, ...transferFields(keyword, source, flags) },
        checksum: flagValue(flags, 'checksum'),
      }
    case 'RUN':
      return { ...common, keyword, ...runFields(flags) }
    case 'ARG':
      return { ...common, keyword, pairs: args.map(argPair) }
    case 'ENV':
    case 'LABEL':
      checkPairs(keyword, statement)
      return { ...common, keyword, pairs: statement.pairs }
    case 'ONBUILD':
      return { ...common, keyword, trigger: trigger(source) }
    case 'CMD':
    case 'ENTRYPOINT':
    case 'EXPOSE':
    case 'HEALTHCHECK':
    case 'MAINTAINER':
    case 'SHELL':
    case 'STOPSIGNAL':
    case 'USER':
    case 'VOLUME':
    case 'WORKDIR':
      checkOther(keyword, statement, flags)
      return { ...common, keyword }
  }
}

type TransferFields = Omit<
  CopyInstruction | AddInstruction,
  'keyword' | 'written' | 'text' | 'line' | 'endLine' | 'flags' | 'args' | 'json' | 'heredocs' | 'from' | 'checksum'
>

function transferFields(
  keyword: string,
  { statement, heredocs }: InstructionSource,
  flags: readonly Flag[],
): TransferFields {
  const destination = statement.args.at(-1) ?? ''
  if (heredocWord(destination) !== undefined) {
    throw new SyntaxFault(`${keyword} cannot accept a heredoc as a destination`)
  }
  const sources: string[] = []
  const heredocSources: Heredoc[] = []
  for (const word of statement.args.slice(0, -1)) {
    const start = heredocWord(word)
    // Of two heredocs of one name, the last body counts.
    if (start === undefined) sources.push(word)
    else heredocSources.push({ ...start, body: heredocs.findLast(({ name }) => name === start.name)?.body ?? '' })
  }
  return {
    ...{ sources, heredocSources, destination },
    ...{ chown: flagValue(flags, 'chown'), chmod: flagValue(flags, 'chmod') },
    ...{ link: flagValue(flags, 'link') === 'true', exclude: flagValues(flags, 'exclude') },
  }
}

function heredocWord(word: string): ReturnType<typeof parseHeredoc> {
  try {
    return parseHeredoc(word)
  } catch {
    return undefined
  }
}

function fromFields(
  args: readonly string[],
  flags: readonly Flag[],
): Pick<FromInstruction, 'base' | 'name' | 'platform'> {
  const platform = flagValue(flags, 'platform')
  return { base: args[0] ?? '', name: stageName(args), platform: platform === '' ? undefined : platform }
}

function stageName(args: readonly string[]): string | undefined {
  if (args.length === 1) return undefined
  const [, as = '', written = ''] = args
  if (args.length !== 3 || as.toLowerCase() !== 'as') {
    throw new SyntaxFault('FROM requires either one or three arguments')
  }
  const name = written.toLowerCase()
  if (/^[a-z][a-z0-9\-_.]*$/.test(name)) return name
  throw new SyntaxFault(
    `invalid name for build stage: ${goQuote(written)}, name can't start with a number or contain symbols`,
  )
}

function runFields(flags: readonly Flag[]): {
  mounts: ReturnType<typeof mountSource>[]
  network: string
  security: string
} {
  const mounts = flagValues(flags, 'mount').map(mountSource)
  const network = flags.some(({ name }) => name === 'network') ? flagValue(flags, 'network') : 'default'
  if (!['default', 'none', 'host'].includes(network)) throw new SyntaxFault(`invalid network mode ${goQuote(network)}`)
  const security = flags.some(({ name }) => name === 'security') ? flagValue(flags, 'security') : 'sandbox'
  if (!['sandbox', 'insecure'].includes(security)) throw new SyntaxFault(`security ${goQuote(security)} is not valid`)
  return { mounts, network, security }
}

function argPair(word: string): ArgPair {
  const equals = word.indexOf('=')
  if (equals === 0) throw new SyntaxFault('ARG names can not be blank')
  if (equals === -1) return { name: word, value: undefined }
  return { name: word.slice(0, equals), value: word.slice(equals + 1) }
}

function checkPairs(keyword: string, { pairs }: Statement): void {
  if (pairs.length === 0) throw new SyntaxFault(`${keyword} requires at least one argument`)
  if (pairs.some(({ name }) => name === '')) throw new SyntaxFault(`${keyword} names can not be blank`)
}

function trigger({ statement, heredocs }: InstructionSource): string {
  const wrapped = trimSpace(statement.args[0] ?? '').toUpperCase()
  if (wrapped === 'ONBUILD') throw new SyntaxFault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  if (wrapped === 'MAINTAINER' || wrapped === 'FROM') {
    throw new SyntaxFault(`${wrapped} isn't allowed as an ONBUILD trigger`)
  }
  const expression = statement.text.replace(/^onbuild[\t\n\f\r ]*/i, '')
  return [expression, ...heredocs.map(({ name, body }) => `${body}${name}`)].join('\n')
}

function isNoHealthcheck({ keyword, args }: Statement): boolean {
  return keyword === 'HEALTHCHECK' && args[0]?.toUpperCase() === 'NONE'
}

function checkOther(keyword: Keyword, statement: Statement, flags: readonly Flag[]): void {
  const { args, json } = statement
  if (keyword === 'HEALTHCHECK') {
    if (!isNoHealthcheck(statement)) checkHealthcheck((args[0] ?? '').toUpperCase(), args.slice(1), flags)
    else if (args.length > 1) throw new SyntaxFault('HEALTHCHECK NONE takes no arguments')
  }
  if (keyword === 'SHELL') {
    if (args.length === 0) throw new SyntaxFault('SHELL requires at least one argument')
    if (!json) throw new SyntaxFault('SHELL requires the arguments to be in JSON form')
  }
  if (keyword === 'VOLUME' && args.some((arg) => trimSpace(arg) === '')) {
    throw new SyntaxFault('VOLUME specified can not be an empty string')
  }
}
