/**
 * What to do about a Dockerfile error, for the mistakes people make. It changes no message: BuildKit's stays.
 */

interface Rule {
  readonly when: RegExp
  readonly say: (message: RegExpExecArray, text: string) => string | undefined
}

const RULES: readonly Rule[] = [
  { when: /FROM requires either one or three arguments/, say: (_, text) => mendFrom(text) },
  { when: /invalid name for build stage: "(.*)"/, say: ([, name]) => mendStageName(name ?? '') },
  { when: /unknown instruction: (\S*)/, say: ([, word]) => mendKeyword(word ?? '') },
  { when: /no build stage in current context/, say: () => 'Begin the file with FROM; only ARG may stand before it.' },
  { when: /contains no stages to build|file with no instructions|cannot be empty/, say: () => 'Add a FROM line.' },
  {
    when: /missing a value on flag: (\S+)/,
    say: ([, flag]) => `Write ${flag ?? 'the flag'}=VALUE, without blanks around the equals sign.`,
  },
  { when: /duplicate flag specified: (\S+)/, say: ([, flag]) => `Write ${flag ?? 'the flag'} once.` },
  {
    when: /unknown flag: (\S+)/,
    say: ([, flag]) => `Remove ${flag ?? 'the flag'}, or write it as the instruction knows it (in small letters).`,
  },
  {
    when: /unterminated heredoc/,
    say: () => 'End the heredoc with a line that holds its name and nothing else; quote `<<` where none is meant.',
  },
  { when: /Destination could not be determined/, say: () => 'Name the source and then the destination.' },
  {
    when: /must have two arguments|can't find = in/,
    say: () => 'Write NAME=value, with quotes around a value that has blanks.',
  },
  { when: /comprised of strings only/, say: () => 'Put every element of the array into double quotes.' },
  {
    when: /variable expansion/,
    say: () => 'Add a stage `FROM image:$VERSION AS name` before this one and use `name` here.',
  },
  {
    when: /base name \((.*)\) should not be blank/,
    say: ([, base]) =>
      `Give the variable in ${base ?? 'FROM'} a default with ARG before the first FROM, or pass it as a build argument.`,
  },
  {
    when: /empty platform value/,
    say: () => 'Give the variable a default with ARG before the first FROM, or remove --platform.',
  },
  { when: /failed to parse platform/, say: () => 'Write the platform as os/arch, such as linux/amd64.' },
  {
    when: /invalid reference format/,
    say: () =>
      'Write the image as name:tag in small letters; a variable in it may be empty: only ARGs before the first FROM count there.',
  },
  {
    when: /circular dependency/,
    say: () => 'Break the circle: a stage can copy only from stages that do not need it.',
  },
  {
    when: /it needs to be defined before current stage|needs to be defined before current command/,
    say: () => 'Move that stage above this one.',
  },
  { when: /invalid stage index/, say: () => 'Stages count from 0; better, name the stage with AS and use its name.' },
  {
    when: /target stage .* could not be found/,
    say: () => 'Name one of the stages: what stands behind AS (a number does not work here).',
  },
  { when: /invalid escape token/, say: () => 'Only \\ and ` can be the escape character.' },
  { when: /greater than max allowed size/, say: () => 'Break the line with continuations.' },
  { when: /ONBUILD/, say: () => 'Put another instruction behind ONBUILD.' },
  {
    when: /unsupported modifier|missing '}'|bad substitution/,
    say: () => 'Write ${NAME}, ${NAME:-default} or another form that Dockerfiles know.',
  },
  { when: /looking for matching/, say: () => 'Close the quote.' },
  { when: /invalid chmod parameter/, say: () => 'Write the mode in octal, such as --chmod=755.' },
  { when: /source can't be a (?:URL|git ref) for COPY/, say: () => 'Use ADD.' },
]

/** The mend for a message about an instruction whose text is `text`; undefined where the message says enough. */
export function mendFor(message: string, text: string): string | undefined {
  for (const { when, say } of RULES) {
    const match = when.exec(message)
    if (match !== null) return say(match, text)
  }
  return undefined
}

function mendFrom(text: string): string {
  const words = text.split(/\s+/).slice(1)
  const at = words.findIndex((word, index) => word.endsWith(':') && index + 1 < words.length)
  if (at !== -1) return `Remove the blank after the colon: \`FROM ${words[at] ?? ''}${words[at + 1] ?? ''}\`.`
  if (words.length === 0) return 'Name an image or an earlier stage.'
  if (words.some((word) => word.startsWith('#'))) return 'Put the comment on a line of its own.'
  if (words[0] === '--platform') return `Write \`--platform=${words[1] ?? 'linux/amd64'}\`.`
  if (words.at(-1)?.toLowerCase() === 'as') return 'Give the stage a name after AS, or remove AS.'
  if (words.some((word) => word.includes('${'))) return 'Remove the blanks inside ${…}: FROM is split at every blank.'
  return 'Write `FROM image` or `FROM image AS name`.'
}

function mendStageName(name: string): string {
  if (name.includes('$')) return 'Write the name itself: variables are not expanded in a stage name.'
  return 'Begin the name with a letter and use only letters, digits, `-`, `_` and `.`.'
}

function mendKeyword(word: string): string | undefined {
  if (word.endsWith(':')) return `Remove the colon: \`${word.slice(0, -1)}\`.`
  return 'Check the spelling; a line that belongs to the one before needs a `\\` at the end of that one.'
}
