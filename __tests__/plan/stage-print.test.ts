/** What changes a stage's print and what does not: BuildKit's keys, row by row (facts of the oracle, and its source). */
import { describe, expect, test } from '@jest/globals'
import { printed, type PrintCase } from '../support/prints.ts'

const IMG = 'docker.io/library/img:latest'

interface Row {
  readonly what: string
  readonly before: string
  /** Default: as before. */
  readonly now?: string
  readonly with?: PrintCase
  readonly nowWith?: PrintCase
  /** Whether the image differs. */
  readonly image: boolean
  /** Whether the files that others copy differ; default: as the image. */
  readonly files?: boolean
}

const BASE = `FROM img AS build
WORKDIR /src
COPY a b /src/
RUN make
`

const ROWS: readonly Row[] = [
  // Nothing of these reaches BuildKit's operations.
  { what: 'AS is added', before: 'FROM img\nRUN x\n', now: 'FROM img AS a\nRUN x\n', image: false },
  {
    what: 'a stage in between is renamed',
    before: 'FROM img AS a\nRUN x\nFROM img\nCOPY --from=a / /\n',
    now: 'FROM img AS b\nRUN x\nFROM img\nCOPY --from=b / /\n',
    image: false,
  },
  { what: 'comments and blank lines', before: BASE, now: `# a\n\n${BASE.replace('COPY', '\n# b\nCOPY')}`, image: false },
  {
    what: 'a comment inside a continuation',
    before: 'FROM img\nRUN a \\\n  && b\n',
    now: 'FROM img\nRUN a \\\n# hm\n  && b\n',
    image: false,
  },
  { what: 'an unrelated stage', before: BASE, now: `FROM other AS o\nRUN y\n${BASE}`, image: false },
  {
    what: 'the order of stages',
    before: 'FROM img AS a\nRUN a\nFROM img AS b\nRUN b\nFROM img\nCOPY --from=a / /\nCOPY --from=b / /b\n',
    now: 'FROM img AS b\nRUN b\nFROM img AS a\nRUN a\nFROM img\nCOPY --from=a / /\nCOPY --from=b / /b\n',
    image: false,
  },
  { what: 'an undeclared argument', before: BASE, with: { args: { OTHER: '1' } }, nowWith: { args: { UNKNOWN: '1' } }, image: false },
  { what: 'an unused global ARG', before: BASE, now: `ARG V=1\n${BASE}`, image: false },
  {
    what: 'the order of COPY flags',
    before: 'FROM img\nCOPY --chown=1 --chmod=644 a /\n',
    now: 'FROM img\nCOPY --chmod=644 --chown=1 a /\n',
    image: false,
  },
  { what: 'keywords in small letters', before: BASE, now: BASE.replace('RUN', 'run').replace('FROM', 'from'), image: false },
  { what: 'a file that nothing reads', before: BASE, nowWith: { files: { '/c': '1' } }, image: false },
  { what: 'the base by another name, same digest', before: BASE, now: BASE.replace('img', 'img:latest'), image: false },
  {
    what: 'the name and sharing of a cache mount',
    before: 'FROM img\nRUN --mount=type=cache,target=/c x\n',
    now: 'FROM img\nRUN --mount=type=cache,target=/c,id=n,sharing=locked x\n',
    image: false,
  },
  { what: 'a default that a build argument covers', before: 'FROM img\nARG V=1\nRUN x\n', now: 'FROM img\nARG V=2\nRUN x\n', with: { args: { V: '3' } }, image: false },

  // Configuration only.
  ...['LABEL a=b', 'CMD x', 'EXPOSE 80', 'ENTRYPOINT ["x"]', 'HEALTHCHECK CMD x', 'VOLUME /v', 'STOPSIGNAL 9', 'MAINTAINER me', 'ONBUILD RUN x'].map(
    (line) => ({ what: line, before: BASE, now: `${BASE}${line}\n`, image: true, files: false }),
  ),
  { what: 'CMD in exec form', before: `${BASE}CMD x\n`, now: `${BASE}CMD ["x"]\n`, image: true, files: false },
  { what: 'an interval of HEALTHCHECK', before: `${BASE}HEALTHCHECK CMD x\n`, now: `${BASE}HEALTHCHECK --interval=3s CMD x\n`, image: true, files: false },
  { what: 'the order of LABEL and CMD', before: `${BASE}LABEL a=b\nCMD x\n`, now: `${BASE}CMD x\nLABEL a=b\n`, image: true, files: false },
  { what: 'where a label’s name ends',
    before: `${BASE}ARG N=a=b\nLABEL $N=c\n`,
    now: `${BASE}ARG N=a=b\nLABEL a=b=c\n`,
    image: true, files: false },
  { what: 'a variable in a label', before: `ARG V\n${BASE}ARG V\nLABEL v=$V\n`, with: { args: { V: '1' } }, nowWith: { args: { V: '2' } }, image: true, files: false },
  { what: 'the source as the history has it', before: BASE, now: BASE.replace('a b /src/', './a b /src/'), image: true, files: false },

  // Variables.
  { what: 'ARG before RUN', before: 'FROM img\nARG V=1\nRUN x\n', now: 'FROM img\nARG V=2\nRUN x\n', image: true },
  { what: 'a declared argument is given', before: 'FROM img\nARG V\nRUN x\n', nowWith: { args: { V: '1' } }, image: true },
  { what: 'ARG before COPY alone', before: 'FROM img\nARG V=1\nCOPY a /\n', now: 'FROM img\nARG V=2\nCOPY a /\n', image: true, files: false },
  { what: 'ARG after the last RUN', before: 'FROM img\nRUN x\nARG V=1\n', now: 'FROM img\nRUN x\nARG V=2\n', image: true, files: false },
  { what: 'ARG that a COPY uses', before: 'FROM img\nARG V=1\nCOPY a /$V\n', now: 'FROM img\nARG V=2\nCOPY a /$V\n', image: true },
  { what: 'ENV before RUN', before: 'FROM img\nENV V=1\nRUN x\n', now: 'FROM img\nENV V=2\nRUN x\n', image: true },
  { what: 'ENV before COPY alone', before: 'FROM img\nENV V=1\nCOPY a /\n', now: 'FROM img\nENV V=2\nCOPY a /\n', image: true, files: false },
  { what: 'the order of variables', before: 'FROM img\nENV A=1\nENV B=1\nRUN x\n', now: 'FROM img\nENV B=1\nENV A=1\nRUN x\n', image: true },
  {
    what: 'a variable that is set again before the RUN',
    before: 'FROM img AS a\nARG V=1\nARG V=3\nRUN x\nFROM img\nCOPY --from=a / /\n',
    now: 'FROM img AS a\nARG V=2\nARG V=3\nRUN x\nFROM img\nCOPY --from=a / /\n',
    image: false,
  },
  {
    what: 'a variable beneath an ARG without value',
    before: 'FROM img AS a\nENV V=1\nARG V\nRUN x\nFROM img\nCOPY --from=a / /\n',
    now: 'FROM img AS a\nENV V=2\nARG V\nRUN x\nFROM img\nCOPY --from=a / /\n',
    image: true,
  },
  {
    what: 'an argument of a stage that is only copied from, with no RUN after it',
    before: 'FROM img AS a\nARG V=1\nCOPY x /\nFROM img\nCOPY --from=a / /\n',
    now: 'FROM img AS a\nARG V=2\nCOPY x /\nFROM img\nCOPY --from=a / /\n',
    image: false,
  },
  {
    what: 'a variable that a stage inherits',
    before: 'FROM img AS a\nARG V=1\nFROM a AS b\nRUN x\nFROM img\nCOPY --from=b / /\n',
    now: 'FROM img AS a\nARG V=2\nFROM a AS b\nRUN x\nFROM img\nCOPY --from=b / /\n',
    image: true,
  },
  {
    what: 'a global ARG that a stage declares',
    before: 'ARG V=1\nFROM img\nARG V\nRUN x\n',
    now: 'ARG V=2\nFROM img\nARG V\nRUN x\n',
    image: true,
  },
  { what: 'a variable of the base image, used', before: 'FROM img\nCOPY a /$V\n', with: config(['V=1']), nowWith: config(['V=2']), image: true },
  { what: 'USER', before: 'FROM img\nRUN x\n', now: 'FROM img\nUSER u\nRUN x\n', image: true },
  { what: 'USER before COPY alone', before: 'FROM img\nCOPY a /\n', now: 'FROM img\nUSER u\nCOPY a /\n', image: true, files: false },
  { what: 'USER before WORKDIR, whose directory is the user’s', before: 'FROM img\nWORKDIR /w\n', now: 'FROM img\nUSER u\nWORKDIR /w\n', image: true },
  { what: 'SHELL', before: 'FROM img\nRUN x\n', now: 'FROM img\nSHELL ["s"]\nRUN x\n', image: true },
  { what: 'WORKDIR', before: 'FROM img\nWORKDIR /a\nRUN x\n', now: 'FROM img\nWORKDIR /b\nRUN x\n', image: true },

  // RUN.
  { what: 'blanks inside the command', before: 'FROM img\nRUN a b\n', now: 'FROM img\nRUN a  b\n', image: true },
  { what: 'a continuation’s indent', before: 'FROM img\nRUN a \\\n b\n', now: 'FROM img\nRUN a \\\n  b\n', image: true },
  { what: 'exec form', before: 'FROM img\nRUN a\n', now: 'FROM img\nRUN ["a"]\n', image: true },
  { what: 'inline or heredoc', before: 'FROM img\nRUN a\n', now: 'FROM img\nRUN <<E\na\nE\n', image: true },
  { what: 'a heredoc’s body', before: 'FROM img\nRUN <<E\na\nE\n', now: 'FROM img\nRUN <<E\nb\nE\n', image: true },
  { what: 'quotes of a heredoc', before: 'FROM img\nRUN cat <<E\n$a\nE\n', now: 'FROM img\nRUN cat <<"E"\n$a\nE\n', image: true },
  { what: 'tabs that a heredoc drops', before: 'FROM img\nRUN <<-E\n\ta\nE\n', now: 'FROM img\nRUN <<E\n\ta\nE\n', image: true },
  { what: 'network', before: 'FROM img\nRUN a\n', now: 'FROM img\nRUN --network=none a\n', image: true },
  { what: 'security', before: 'FROM img\nRUN a\n', now: 'FROM img\nRUN --security=insecure a\n', image: true },
  { what: 'a device', before: 'FROM img\nRUN --device=a.com/x=y a\n', now: 'FROM img\nRUN --device=a.com/x=z a\n', image: true },
  { what: 'a flag that is not known', before: 'FROM img\nRUN --newer=1 a\n', now: 'FROM img\nRUN --newer=2 a\n', image: true },
  { what: 'an argument that looks like a mount', before: 'FROM img\nRUN ["a"]\n', now: 'FROM img\nRUN ["a","network=default"]\n', image: true },
  ...[
    ['where a mount goes', 'type=bind,target=/a', 'type=bind,target=/b'],
    ['what a mount is of', 'type=bind,source=a,target=/t', 'type=bind,source=b,target=/t'],
    ['a writable mount', 'type=bind,target=/a', 'type=bind,target=/a,rw'],
    ['the size of a tmpfs', 'type=tmpfs,target=/a', 'type=tmpfs,target=/a,size=1m'],
    ['a secret’s id', 'type=secret,id=a', 'type=secret,id=b'],
    ['a secret’s variable', 'type=secret,id=a', 'type=secret,id=a,env=V'],
    ['a secret that must be there', 'type=secret,id=a', 'type=secret,id=a,required'],
    ['a kind of mount', 'type=ssh', 'type=cache,target=/c'],
    ['what a cache begins with', 'type=cache,target=/c', `type=cache,target=/c,from=other`],
  ].map(([what = '', before = '', now = '']) => ({
    what,
    before: `FROM img\nRUN --mount=${before} x\n`,
    now: `FROM img\nRUN --mount=${now} x\n`,
    image: true,
  })),
  { what: 'a variable in a mount', before: 'FROM img\nARG V=a\nRUN --mount=type=cache,target=/$V x\n', now: 'FROM img\nARG V=b\nRUN --mount=type=cache,target=/$V x\n', image: true },
  { what: 'a file behind a bind mount', before: 'FROM img\nRUN --mount=target=/t,source=a x\n', with: { files: { '/a': '1' } }, nowWith: { files: { '/a': '2' } }, image: true },
  { what: 'an option of every RUN', before: BASE, nowWith: { runOptions: [['network', 'none']] }, image: true },
  { what: 'an option of RUN where there is none', before: 'FROM img\nCOPY a /\n', nowWith: { runOptions: [['network', 'none']] }, image: false },
  { what: 'the frontend', before: 'FROM scratch\nCOPY a /\n', nowWith: { options: [['syntax', 'sha256:1']] }, image: true },

  // COPY and ADD.
  { what: 'a file that is read', before: BASE, with: { files: { '/a': '1' } }, nowWith: { files: { '/a': '2' } }, image: true },
  { what: 'a destination', before: 'FROM img\nCOPY a /x\n', now: 'FROM img\nCOPY a /y\n', image: true },
  { what: 'a slash at the destination’s end', before: 'FROM img\nCOPY a /x\n', now: 'FROM img\nCOPY a /x/\n', image: true },
  { what: 'a relative destination', before: 'FROM img AS a\nWORKDIR /w\nWORKDIR /\nCOPY a w/x\nFROM img\nCOPY --from=a / /\n', now: 'FROM img AS a\nWORKDIR /w\nWORKDIR /\nCOPY a /w/x\nFROM img\nCOPY --from=a / /\n', image: false },
  { what: '--chown', before: 'FROM img\nCOPY a /\n', now: 'FROM img\nCOPY --chown=1 a /\n', image: true },
  { what: '--chmod', before: 'FROM img\nCOPY --chmod=600 a /\n', now: 'FROM img\nCOPY --chmod=700 a /\n', image: true },
  { what: '--link', before: 'FROM img\nCOPY a /\n', now: 'FROM img\nCOPY --link a /\n', image: true },
  { what: '--exclude', before: 'FROM img\nCOPY --exclude=x a /\n', now: 'FROM img\nCOPY --exclude=y a /\n', image: true },
  { what: '--parents', before: 'FROM img\nCOPY d/a /\n', now: 'FROM img\nCOPY --parents d/a /\n', image: true },
  {
    what: 'the pivot of --parents',
    before: 'FROM img AS a\nCOPY --parents d/e/a /x/\nFROM img\nCOPY --from=a / /\n',
    now: 'FROM img AS a\nCOPY --parents d/./e/a /x/\nFROM img\nCOPY --from=a / /\n',
    image: true,
  },
  { what: 'a flag of COPY that is not known', before: 'FROM img\nCOPY --newer=1 a /\n', now: 'FROM img\nCOPY --newer=2 a /\n', image: true },
  { what: 'COPY or ADD', before: 'FROM img\nCOPY a /\n', now: 'FROM img\nADD a /\n', image: true },
  { what: '--unpack', before: 'FROM img\nADD a /\n', now: 'FROM img\nADD --unpack=true a /\n', image: true },
  { what: 'a heredoc that is copied', before: 'FROM img\nCOPY <<E /x\na\nE\n', now: 'FROM img\nCOPY <<E /x\nb\nE\n', image: true },
  { what: 'a heredoc’s name', before: 'FROM img\nCOPY <<E /x/\na\nE\n', now: 'FROM img\nCOPY <<F /x/\na\nF\n', image: true },
  { what: 'a variable in a heredoc', before: 'FROM img\nARG V=1\nCOPY <<E /x\n$V\nE\n', now: 'FROM img\nARG V=2\nCOPY <<E /x\n$V\nE\n', image: true },
  { what: 'a variable in a quoted heredoc', before: 'FROM img AS a\nARG V=1\nCOPY <<"E" /x\n$V\nE\nFROM img\nCOPY --from=a / /\n', now: 'FROM img AS a\nARG V=2\nCOPY <<"E" /x\n$V\nE\nFROM img\nCOPY --from=a / /\n', image: false },
  { what: 'a checksum', before: remote('1'), now: remote('2'), image: true },

  // What comes from elsewhere.
  { what: 'the base image', before: BASE, with: { images: { [IMG]: 'sha256:1' } }, nowWith: { images: { [IMG]: 'sha256:2' } }, image: true },
  { what: 'scratch', before: 'FROM img\nCOPY a /\n', now: 'FROM scratch\nCOPY a /\n', image: true },
  { what: 'the platform', before: 'FROM --platform=linux/amd64 img\nCOPY a /\n', now: 'FROM --platform=linux/arm64 img\nCOPY a /\n', image: true },
  { what: 'an image that is copied from', before: 'FROM scratch\nCOPY --from=img /a /\n', with: { images: { [IMG]: 'sha256:1' } }, nowWith: { images: { [IMG]: 'sha256:2' } }, image: true },
  { what: 'an image that is mounted', before: 'FROM scratch\nRUN --mount=from=img,target=/i x\n', with: { images: { [IMG]: 'sha256:1' } }, nowWith: { images: { [IMG]: 'sha256:2' } }, image: true },
  { what: 'a stage that is copied from', before: copying('RUN a'), now: copying('RUN b'), image: true },
  { what: 'configuration of a stage that is copied from', before: copying('CMD a'), now: copying('CMD b'), image: false },
  { what: 'configuration of a stage beneath', before: 'FROM img AS a\nCMD a\nFROM a\nCOPY x /\n', now: 'FROM img AS a\nCMD b\nFROM a\nCOPY x /\n', image: true, files: false },
  { what: 'a stage that is mounted', before: 'FROM img AS a\nRUN a\nFROM img\nRUN --mount=from=a,target=/t x\n', now: 'FROM img AS a\nRUN b\nFROM img\nRUN --mount=from=a,target=/t x\n', image: true },
  { what: 'a named context for the base', before: BASE, with: { contexts: { img: 'sha256:1' } }, nowWith: { contexts: { img: 'sha256:2' } }, image: true },
  { what: 'files of a named context', before: 'FROM img\nCOPY --from=ctx a /\n', with: { contexts: { ctx: undefined }, files: { 'ctx:/a': '1' } }, nowWith: { contexts: { ctx: undefined }, files: { 'ctx:/a': '2' } }, image: true },
  { what: 'other files of a named context', before: 'FROM img\nCOPY --from=ctx a /\n', with: { contexts: { ctx: undefined } }, nowWith: { contexts: { ctx: undefined }, files: { 'ctx:/b': '2' } }, image: false },
  { what: 'a trigger of the base image', before: 'FROM img\n', with: triggers('RUN a'), nowWith: triggers('RUN b'), image: true },
  { what: 'a trigger of the stage beneath', before: 'FROM img AS a\nONBUILD RUN a\nFROM a AS b\nFROM img\nCOPY --from=b / /\n', now: 'FROM img AS a\nONBUILD RUN b\nFROM a AS b\nFROM img\nCOPY --from=b / /\n', image: true },
] // prettier-ignore

function config(env: readonly string[]): PrintCase {
  return { resolve: { configOf: () => ({ env, workingDir: '/' }) } }
}

function triggers(...lines: readonly string[]): PrintCase {
  return { resolve: { onBuildOf: () => lines } }
}

function remote(digit: string): string {
  return `FROM img\nADD --checksum=sha256:${digit.repeat(64)} https://example.com/x /\n`
}

function copying(line: string): string {
  return `FROM img AS a\n${line}\nFROM img\nCOPY --from=a / /\n`
}

describe('what changes a print', () => {
  test.each(ROWS.map((row) => [row.what, row] as const))('%s', (_what, row) => {
    const [before, now] = [
      printed(row.before, row.with),
      printed(row.now ?? row.before, row.nowWith ?? row.with),
    ] as const
    expect(before.target.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(now.target.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/)
    const differs = {
      image: before.target.fingerprint !== now.target.fingerprint,
      files: before.stage.files !== now.stage.files,
    }
    expect(differs).toEqual({ image: row.image, files: row.files ?? row.image })
  })
})

describe('what cannot be known beforehand', () => {
  const unknown: readonly [what: string, text: string, options: PrintCase, said: string][] = [
    ['an image', 'FROM img\n', { images: { [IMG]: undefined } }, 'the digest of docker.io/library/img:latest is not known'],
    ['an image that is copied from', 'FROM scratch\nCOPY --from=img / /\n', { images: { [IMG]: undefined } }, 'the digest of docker.io/library/img:latest is not known'],
    ['a URL', 'FROM img\nADD https://example.com/x /\n', {}, 'https://example.com/x has no checksum, so it may change unnoticed'],
    ['a URL that looks like a commit', `FROM img\nADD https://example.com/x#${'0'.repeat(40)} /\n`, {}, `https://example.com/x#${'0'.repeat(40)} has no checksum, so it may change unnoticed`],
    ['a branch', 'FROM img\nADD https://example.com/x.git#main /\n', {}, 'https://example.com/x.git#main has no checksum, so it may change unnoticed'],
    ['a named context', 'FROM img\nCOPY --from=ctx a /\n', { contexts: { ctx: undefined }, unreadable: true }, 'the content of the build context ctx is not known beforehand'],
    ['the build context', 'FROM img\nCOPY a /\n', { unreadable: true }, 'the files of the build context could not be read'],
  ] // prettier-ignore
  test.each(unknown)('%s', (_what, text, options, said) => {
    const { stage, target } = printed(`${text}RUN x\n`, options)
    expect([stage.files, stage.fingerprint, target.fingerprint]).toEqual([undefined, undefined, undefined])
    expect(stage.unknown.map(({ text: told }) => told)).toEqual([said])
    expect(stage.unknown[0]?.line).toBeGreaterThan(0)
  })

  test('passes to the stages that need it, and is told once, where it is', () => {
    const { stages } = printed('FROM img AS a\nADD https://example.com/x /\nFROM a AS b\nFROM img\nCOPY --from=b / /\n')
    expect(stages.map(({ fingerprint }) => fingerprint)).toEqual([undefined, undefined, undefined])
    expect(stages.map(({ unknown: own }) => own.length)).toEqual([1, 0, 0])
  })

  test('a whole commit is known', () => {
    const { target } = printed(`FROM img\nADD https://example.com/x.git#${'0'.repeat(40)}:dir /\n`)
    expect(target.fingerprint).toBeDefined()
  })
})

describe('a print', () => {
  test('names what a RUN is the first to be shaped by, where it was set, without its value', () => {
    const { stages } = printed('FROM img AS a\nARG TOKEN=hunter2\nENV B=2\nFROM a\nRUN x\nARG C=3\nRUN y\n')
    const steps = stages[1]?.steps.filter(({ keyword }) => keyword === 'RUN')
    const names = steps?.map(({ settings }) => settings.map(({ name, stage, line }) => [name, stage, line]))
    expect(names).toEqual([[['$TOKEN', 0, 2], ['$B', 0, 3]], [['$C', 1, 6]]]) // prettier-ignore
    expect(JSON.stringify(stages.map(({ steps: all }) => all.map(({ settings }) => settings)))).not.toContain('hunter2')
  })

  test('prints a stage that two targets need once', () => {
    const text = 'FROM img AS a\nRUN x\nFROM a AS b\nFROM a AS c\n'
    const [b, c] = [printed(text, { target: 'b' }), printed(text, { target: 'c' })]
    expect(b.stages[0]).toEqual(c.stages[0])
    expect(b.stage.files).toBe(c.stage.files)
  })

  test('a long chain of stages is printed without recursion', () => {
    const stages = Array.from({ length: 2_000 }, (_, i) => `FROM s${i} AS s${i + 1}\nRUN ${i}\n`)
    expect(printed(`FROM img AS s0\n${stages.join('')}`).stages).toHaveLength(2_001)
  })
})
