/**
 * A logical line to a statement: keyword, flags, arguments, before anyone asks whether the instruction makes sense. The
 * errors found here are those of BuildKit's parser, which sees the whole file before the first instruction is looked at.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/parser.go (newNodeFromLine)
 */
import { jsonOrLine, jsonOrWords, nameValuePairs, quotedWords, type Pair } from './arguments.ts'
import type { EscapeCharacter } from './directives.ts'
import { extractFlags } from './flags.ts'
import { isSpace, splitBlanks, trimSpace } from './go-text.ts'
import type { Keyword } from './instructions.ts'

export interface Statement {
  /** Undefined where the keyword is no instruction. */
  readonly keyword: Keyword | undefined
  readonly written: string
  readonly text: string
  readonly flags: readonly string[]
  readonly args: readonly string[]
  readonly json: boolean
  /** Of ENV and LABEL. */
  readonly pairs: readonly Pair[]
  /** What ONBUILD wraps. */
  readonly inner: Statement | undefined
}

const KEYWORDS: Readonly<Record<Keyword, true>> = {
  ...{ ADD: true, ARG: true, CMD: true, COPY: true, ENTRYPOINT: true, ENV: true, EXPOSE: true, FROM: true },
  ...{ HEALTHCHECK: true, LABEL: true, MAINTAINER: true, ONBUILD: true, RUN: true, SHELL: true, STOPSIGNAL: true },
  ...{ USER: true, VOLUME: true, WORKDIR: true },
}

export const INSTRUCTION_NAMES: readonly string[] = Object.keys(KEYWORDS)

function isKeyword(word: string): word is Keyword {
  return Object.hasOwn(KEYWORDS, word)
}

/** ONBUILD within ONBUILD is an error anyway; so many of them must not exhaust the stack. */
const MAX_ONBUILDS = 50

/** @throws SyntaxFault in the words of BuildKit's parser */
export function parseStatement(line: string, escape: EscapeCharacter, depth = 0): Statement {
  const text = trimSpace(line)
  const [written = '', after = ''] = splitBlanks(text, 2)
  const upper = written.toUpperCase()
  const keyword = isKeyword(upper) ? upper : undefined
  const { flags, rest: untrimmed } = extractFlags(after, escape)
  const rest = trimSpace(untrimmed)
  const statement = { keyword, written, text, flags, args: [], json: false, pairs: [], inner: undefined }
  return { ...statement, ...parseArguments(keyword, rest, escape, depth) }
}

function parseArguments(
  keyword: Keyword | undefined,
  rest: string,
  escape: EscapeCharacter,
  depth: number,
): Partial<Statement> {
  switch (keyword) {
    case undefined:
      return {}
    case 'ADD':
    case 'COPY':
    case 'VOLUME':
      return jsonOrWords(rest)
    case 'RUN':
    case 'CMD':
    case 'ENTRYPOINT':
    case 'SHELL':
      return jsonOrLine(rest)
    case 'ARG':
      return { args: quotedWords(rest, escape) }
    case 'ENV':
    case 'LABEL': {
      const pairs = nameValuePairs(rest, keyword, escape)
      return { pairs, args: pairs.map((pair) => `${pair.name}${pair.legacy ? ' ' : '='}${pair.value}`) }
    }
    case 'FROM':
    case 'EXPOSE':
      return { args: rest === '' ? [] : splitBlanks(rest) }
    case 'HEALTHCHECK':
      return parseHealthcheck(rest)
    case 'MAINTAINER':
    case 'STOPSIGNAL':
    case 'USER':
    case 'WORKDIR':
      return { args: rest === '' ? [] : [rest] }
    case 'ONBUILD': {
      if (rest === '' || depth >= MAX_ONBUILDS) return {}
      const inner = parseStatement(rest, escape, depth + 1)
      return { inner, args: [inner.written, ...inner.args] }
    }
  }
}

function parseHealthcheck(rest: string): Partial<Statement> {
  if (rest === '') return {}
  let end = 0
  while (end < rest.length && !isSpace(rest.charAt(end))) end++
  const command = jsonOrLine(trimSpace(rest.slice(end)))
  return { args: [rest.slice(0, end), ...command.args], json: command.json }
}

/** COPY, ADD and RUN can have heredocs, plain or as a trigger, unless their arguments are JSON. */
export function canHoldHeredocs(statement: Statement): boolean {
  const holder = statement.keyword === 'ONBUILD' ? (statement.inner ?? statement) : statement
  return !holder.json && (holder.keyword === 'ADD' || holder.keyword === 'COPY' || holder.keyword === 'RUN')
}
