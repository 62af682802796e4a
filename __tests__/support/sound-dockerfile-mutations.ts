/** Random changes of a Dockerfile's text, by instruction; whether they make sense is for the engine to say. */
import type { Keyword } from '../../src/dockerfile/instructions.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import type { Random } from './random.ts'
import type { Mutation } from './sound-mutations.ts'
import type { Variant } from './sound-project.ts'

interface Part {
  readonly keyword: Keyword
  /** Undefined before the first FROM. */
  readonly stage: number | undefined
  /** Its physical lines, with comments and blanks before it. */
  lines: string[]
}

/** The text cut into instructions; joined again it is the text. */
function partsOf(text: string): readonly Part[] {
  const { globalArgs, stages } = parseDockerfile(text)
  const all = [
    ...globalArgs.map(({ keyword, endLine }) => ({ keyword, endLine, stage: undefined })),
    ...stages.flatMap(({ from, instructions }, stage) =>
      [from, ...instructions].map(({ keyword, endLine }) => ({ keyword, endLine, stage })),
    ),
  ]
  const lines = text.replace(/\n$/, '').split('\n')
  let at = 0
  return all.map(({ keyword, endLine, stage }) => {
    const own = lines.slice(at, endLine)
    at = endLine
    return { keyword, stage, lines: own }
  })
}

function join(parts: readonly Part[]): string {
  return `${parts.flatMap(({ lines }) => lines).join('\n')}\n`
}

type Change = (parts: Part[], random: Random, draft: Variant) => boolean

function dockerfile(kind: string, change: Change): Mutation {
  return {
    kind: `Dockerfile: ${kind}`,
    change: (draft, random) => {
      const parts = [...partsOf(draft.dockerfile)]
      if (!change(parts, random, draft)) return false
      const text = join(parts)
      if (text === draft.dockerfile) return false
      draft.dockerfile = text
      return true
    },
  }
}

/** Replaces text in one instruction of these keywords; `find` must match in it. */
function replacing(keywords: readonly Keyword[], find: RegExp, by: (random: Random, found: string) => string): Change {
  return (parts, random) => {
    const fitting = parts.filter(({ keyword, lines }) => keywords.includes(keyword) && find.test(lines.join('\n')))
    const part = random.pick(fitting)
    if (part === undefined) return false
    part.lines = part.lines
      .join('\n')
      .replace(find, (found) => by(random, found))
      .split('\n')
    return true
  }
}

/** Puts an instruction somewhere behind a FROM. */
function inserting(line: (random: Random) => string, where: 'anywhere' | 'last' = 'anywhere'): Change {
  return (parts, random) => {
    const first = parts.findIndex(({ keyword }) => keyword === 'FROM')
    const at = where === 'last' ? parts.length : first + 1 + random.below(parts.length - first)
    parts.splice(at, 0, { keyword: 'LABEL', stage: undefined, lines: [line(random)] })
    return true
  }
}

const COPIES: readonly Keyword[] = ['COPY', 'ADD']

/** Where the stages of a file begin; the last entry is its end. */
function borders(parts: readonly Part[]): readonly number[] {
  return [...parts.flatMap(({ keyword }, index) => (keyword === 'FROM' ? [index] : [])), parts.length]
}

export const TEXT_MUTATIONS: readonly Mutation[] = [
  dockerfile('a comment', (parts, random) => {
    const part = random.pick(parts.slice(1))
    part?.lines.unshift(`# ${random.word()}`)
    return part !== undefined
  }),
  dockerfile('a blank line', (parts, random) => {
    const part = random.pick(parts.slice(1))
    part?.lines.unshift('')
    return part !== undefined
  }),
  dockerfile('a comment inside an instruction', (parts, random) => {
    const part = random.pick(parts.filter(({ lines }) => lines.some((line) => line.endsWith('\\'))))
    if (part === undefined) return false
    part.lines.splice(part.lines.findIndex((line) => line.endsWith('\\')) + 1, 0, `# ${random.word()}`)
    return true
  }),
  dockerfile('a keyword in small letters', replacing(['RUN', 'COPY', 'ENV', 'LABEL', 'CMD'], /^(?:RUN|COPY|ENV|LABEL|CMD)\b/m, (_random, found) => found.toLowerCase())),
  dockerfile('a stage that nothing needs', (parts, random) => {
    const word = random.word()
    const last = borders(parts).at(-2) ?? 0
    const lines = [`FROM base:1 AS spare-${word}`, `RUN echo ${word}`]
    parts.splice(last, 0, { keyword: 'FROM', stage: undefined, lines })
    return true
  }),
  dockerfile('a stage that nothing needs, changed', (parts, random) => {
    const part = parts.find(({ keyword, lines }) => keyword === 'RUN' && lines.join('').includes('/spare'))
    if (part === undefined) return false
    part.lines = [`RUN echo ${random.word()} > /spare`]
    return true
  }),
  dockerfile('the order of stages', (parts, random) => {
    const ends = borders(parts)
    const at = random.below(Math.max(1, ends.length - 3))
    const [one = 0, two = 0, three = 0] = ends.slice(at)
    if (ends.length < 4) return false
    parts.splice(one, three - one, ...parts.slice(two, three), ...parts.slice(one, two))
    return true
  }),
  dockerfile('a stage’s name', (parts, random, draft) => {
    const target = partsOf(draft.dockerfile).findLast(({ keyword }) => keyword === 'FROM')?.lines.at(-1)
    const names = parts.flatMap(({ lines }) => /^FROM \S+ AS (\S+)$/m.exec(lines.join('\n'))?.[1] ?? [])
    const name = random.pick(names.filter((candidate) => target?.endsWith(` ${candidate}`) !== true))
    if (name === undefined || draft.inputs['build-contexts']?.some((line) => line.startsWith(`${name}=`)) === true) return false
    const other = `s-${random.word()}`
    for (const part of parts) {
      const text = part.lines.join('\n')
      part.lines = text
        .replace(new RegExp(`(AS |FROM |from=)${name}\\b(?![/:])`, 'g'), `$1${other}`)
        .split('\n')
    }
    return true
  }),
  dockerfile('an unused ARG before FROM', (parts, random) => {
    parts.unshift({ keyword: 'ARG', stage: undefined, lines: [`ARG ${random.word().toUpperCase()}X=1`] })
    return true
  }),
  dockerfile('the order of flags', replacing(COPIES, /(--\S+) (--\S+)/, (_random, found) => found.split(' ').reverse().join(' '))),
  dockerfile('a cache mount’s id', replacing(['RUN'], /id=c\w*/, (random) => `id=c${random.word()}`)),
  dockerfile('the same base by an ARG', (parts) => {
    const from = parts.find(({ keyword, lines }) => keyword === 'FROM' && /FROM base:1/.test(lines.join('\n')))
    if (from === undefined) return false
    from.lines = from.lines.join('\n').replace('base:1', '${SAME}').split('\n')
    parts.unshift({ keyword: 'ARG', stage: undefined, lines: ['ARG SAME=base:1'] })
    return true
  }),
] // prettier-ignore

export const INSTRUCTION_MUTATIONS: readonly Mutation[] = [
  dockerfile('a command', replacing(['RUN'], /\b(?:cat|echo)\b/, (random, found) => `: ${random.word()}; ${found}`)),
  dockerfile('blanks in a command', replacing(['RUN'], /\b(?:cat|echo) /, (_random, found) => `${found} `)),
  dockerfile('a destination', replacing(COPIES, /\S+$/, (random, found) => `${found.replace(/\/?$/, '')}${random.pick(['/', '/x/', ''])}`)),
  dockerfile('a flag of COPY', replacing(COPIES, /^(?:COPY|ADD)/m, (random, found) =>
    `${found} ${random.pick(['--chmod=640', '--chown=7:7', '--link', '--exclude=*.x', '--exclude=*.md'])}`)),
  dockerfile('./ before a source', replacing(COPIES, /(?<= )(?=(?:src|docs|conf)\b)/, () => './')),
  dockerfile('an option of a mount', replacing(['RUN'], /--mount=type=bind/, (random, found) => `${found},${random.pick(['rw', 'ro'])}`)),
  dockerfile('network of a RUN', replacing(['RUN'], /^RUN/m, (random, found) => `${found} --network=${random.pick(['none', 'default'])}`)),
  dockerfile('a line of a heredoc', replacing(['RUN', 'COPY'], /^(?:version|plain|cat .*)$/m, (random, found) => `${found} ${random.word()}`)),
  dockerfile('a default', replacing(['ARG'], /=[\w.]*$/, (random) => `=${random.word()}`)),
  dockerfile('an ENV', replacing(['ENV'], /=\w*/, (random) => `=${random.word()}`)),
  dockerfile('an ENV more', inserting((random) => `ENV E${random.below(3)}=${random.word()}`)),
  dockerfile('an ARG more', inserting((random) => `ARG ${random.pick(['VERSION', 'OTHER', 'ADDED', 'ADDED=1', 'NEVER', `NEW=${random.word()}`])}`)),
  dockerfile('a variable in a source or destination', replacing(COPIES, /\S+$/, (_random, found) => `${found.replace(/\/$/, '')}\${VERSION}/`)),
  dockerfile('a WORKDIR', inserting((random) => `WORKDIR ${random.pick(['/w', 'sub', '/src', '/'])}`)),
  dockerfile('a USER', inserting((random) => `USER ${random.pick(['0', '1000', '1000:7', 'nobody'])}`)),
  dockerfile('a SHELL', inserting((random) => `SHELL ["/bin/sh", "${random.pick(['-c', '-ec', '-uc'])}"]`)),
  dockerfile('a RUN more', inserting((random) => `RUN echo ${random.word()} "$VERSION"`)),
  dockerfile('a COPY more', inserting((random) => `COPY ${random.pick(['conf.link', 'src/m*.c', 'docs/', 'src/alias.c', '--exclude=*.c src/'])} /more/`)),
  dockerfile('an instruction moved', (parts, random) => {
    const at = 2 + random.below(Math.max(1, parts.length - 2))
    const [one, two] = [parts[at - 1], parts[at]]
    if (one === undefined || two === undefined || one.keyword === 'FROM' || two.keyword === 'FROM') return false
    parts.splice(at - 1, 2, two, one)
    return true
  }),
  dockerfile('an instruction less', (parts, random) => {
    const at = 1 + random.below(parts.length - 1)
    if (parts[at]?.keyword === 'FROM') return false
    parts.splice(at, 1)
    return true
  }),
  dockerfile('an instruction twice', (parts, random) => {
    const at = 1 + random.below(parts.length - 1)
    const part = parts[at]
    if (part === undefined || part.keyword === 'FROM') return false
    parts.splice(at, 0, { ...part, lines: part.lines.filter((line) => !line.startsWith('#')) })
    return true
  }),
  dockerfile('another base of the same bytes', replacing(['FROM'], /base:[12]/, (_random, found) => (found === 'base:1' ? 'base:2' : 'base:1'))),
  dockerfile('a flattened continuation', replacing(['RUN', 'ENV'], /\\\n\s*/, () => '')),
  dockerfile('a deeper continuation', replacing(['RUN', 'ENV'], /\\\n/, (_random, found) => `${found}  `)),
] // prettier-ignore

const CONFIG = [
  ...['CMD ["x"]', 'CMD x', 'ENTRYPOINT ["y"]', 'ENTRYPOINT y', 'EXPOSE 81/udp', 'VOLUME ["/v"]', 'STOPSIGNAL 9'],
  ...['HEALTHCHECK NONE', 'HEALTHCHECK --retries=2 CMD a', 'MAINTAINER me', 'LABEL l=1', 'ONBUILD RUN x'],
]

export const CONFIG_MUTATIONS: readonly Mutation[] = [
  dockerfile('configuration at the end', inserting((random) => random.pick(CONFIG) ?? '', 'last')),
  dockerfile('configuration anywhere', inserting((random) => random.pick(CONFIG) ?? '')),
  dockerfile('a label', inserting((random) => `LABEL org.example.${random.word()}="${random.word()} \${VERSION}"`)),
  dockerfile('a label’s value', replacing(['LABEL'], /"two words.*"/, (random) => `"two words ${random.word()}"`)),
  dockerfile('exec form', replacing(['CMD', 'ENTRYPOINT'], /^(?:CMD|ENTRYPOINT) .*/m, (_random, found) =>
    found.includes('[') ? found.replace(/ \[.*/, ' now') : found.replace(/ (.*)/, ' ["$1"]'))),
] // prettier-ignore
