/**
 * The WWW-Authenticate header of registries (RFC 9110 §11.6.1): which kinds of login a registry accepts.
 */

export interface AuthChallenge {
  /** Lower-cased: `bearer`, `basic`. */
  readonly scheme: string
  /** Names lower-cased. */
  readonly parameters: ReadonlyMap<string, string>
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const QUOTED = /"((?:[^"\\]|\\[^])*)"/y
const BLANK = /[ \t]*/y
const SEPARATOR = /[ \t,]*/y
const EQUALS = /[ \t]*=[ \t]*/y

/** Reads every challenge of a header (several header lines come joined by commas); stops at what it cannot read. */
export function parseChallenges(header: string): readonly AuthChallenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  let at = 0
  const take = (expression: RegExp): RegExpExecArray | undefined => {
    expression.lastIndex = at
    const match = expression.exec(header)
    if (match === null) return undefined
    at += match[0].length
    return match
  }
  for (;;) {
    take(SEPARATOR)
    const name = take(TOKEN)?.[0].toLowerCase()
    if (name === undefined) return challenges
    const current = challenges.at(-1)
    if (current !== undefined && take(EQUALS) !== undefined) {
      const value = take(QUOTED)?.[1]?.replace(/\\([^])/g, '$1') ?? take(TOKEN)?.[0]
      if (value === undefined) return challenges
      if (!current.parameters.has(name)) current.parameters.set(name, value)
    } else {
      take(BLANK)
      challenges.push({ scheme: name, parameters: new Map() })
    }
  }
}
