/**
 * What COPY and ADD refuse when they are carried out.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchCopy)
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import { digestFault } from '../images/reference.ts'
import { isGitSource, isHttpSource } from './git-source.ts'

export interface Transfer {
  readonly keyword: 'COPY' | 'ADD'
  /** Expanded. */
  readonly sources: readonly string[]
  readonly chmod: string
  readonly checksum: string
}

/** @throws SyntaxFault in BuildKit's words */
export function checkTransfer({ keyword, sources, chmod, checksum }: Transfer): void {
  const digestProblem = checksum === '' ? undefined : digestFault(checksum)
  if (digestProblem !== undefined) throw new SyntaxFault(digestProblem)
  checkChmod(chmod)
  if (checksum !== '') checkChecksum(sources)
  if (keyword === 'ADD') return
  for (const source of sources) {
    if (isGitSource(source)) throw new SyntaxFault("source can't be a git ref for COPY")
    if (isHttpSource(source)) throw new SyntaxFault("source can't be a URL for COPY")
  }
}

// https://pkg.go.dev/github.com/tonistiigi/dchapes-mode (the grammar of chmod)
const SYMBOLIC = /^[ugoa]*(?:[+\-=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[+\-=](?:[rwxXst]*|[ugo]))+)*$/

/** Octal up to 07777, or a symbolic mode such as `u=rwX,go=rX`. */
function checkChmod(chmod: string): void {
  if (chmod === '') return
  const octal = /^[0-7]+$/.test(chmod) && Number.parseInt(chmod, 8) <= 0o7777
  if (octal || SYMBOLIC.test(chmod)) return
  if (!/^[0-9]/.test(chmod)) throw new SyntaxFault('invalid syntax')
  throw new SyntaxFault(`invalid chmod parameter: '${chmod}'. it should be octal string and between 0 and 07777`)
}

function checkChecksum(sources: readonly string[]): void {
  const [source] = sources
  if (source === undefined || sources.length !== 1) {
    throw new SyntaxFault("checksum can't be specified for multiple sources")
  }
  if (!isHttpSource(source) && !isGitSource(source)) {
    throw new SyntaxFault('checksum requires HTTP(S) or Git sources')
  }
}
