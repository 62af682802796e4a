/** The model that the parser makes, and what it tells people. What it accepts and refuses is in `../graph/`. */
import { describe, expect, test } from '@jest/globals'
import type { Instruction, StageInstruction } from '../../src/dockerfile/instructions.ts'
import { parseDockerfile, parseTrigger } from '../../src/dockerfile/parse.ts'

function only(text: string): StageInstruction | undefined {
  return parseDockerfile(`FROM x\n${text}\n`).stages[0]?.instructions[0]
}

describe('instructions', () => {
  test('FROM has base, name and platform', () => {
    const { stages, globalArgs } = parseDockerfile('ARG V=1 W\nfrom --platform="$P" img:$V as Name\n')
    expect(stages[0]?.from).toMatchObject({
      ...{ keyword: 'FROM', written: 'from', base: 'img:$V', name: 'name', platform: '$P', line: 2, endLine: 2 },
      text: 'from --platform="$P" img:$V as Name',
    })
    expect(globalArgs[0]?.pairs).toEqual([
      { name: 'V', value: '1' },
      { name: 'W', value: undefined },
    ])
  })

  test('the text of an instruction has no continuations and no comments, and keeps inner blanks', () => {
    expect(only('RUN a \\\n  # c\n\n   b  c   ')).toMatchObject({
      ...{ text: 'RUN a    b  c', args: ['a    b  c'], line: 2, endLine: 5 },
    })
  })

  test('COPY has sources, destination and flags', () => {
    expect(only('COPY --from=a --link --exclude=x --exclude=y --chown=1:1 --chmod=755 a "b c" d')).toMatchObject({
      ...{ keyword: 'COPY', from: 'a', link: true, parents: false, exclude: ['x', 'y'], chown: '1:1', chmod: '755' },
      ...{ sources: ['a', '"b', 'c"'], destination: 'd', json: false },
      flags: [
        { name: 'from', value: 'a' },
        { name: 'link', value: 'true' },
        { name: 'exclude', value: 'x' },
        { name: 'exclude', value: 'y' },
        { name: 'chown', value: '1:1' },
        { name: 'chmod', value: '755' },
      ],
    })
    expect(only('COPY ["a b", "c"]')).toMatchObject({ sources: ['a b'], destination: 'c', json: true })
  })

  test('RUN has its mounts as written and their sources', () => {
    expect(
      only('RUN --mount=type=cache,target=/c --mount=\'from=b,"target=/x,y"\' --network=none ["a","b"]'),
    ).toMatchObject({
      ...{ keyword: 'RUN', network: 'none', security: 'sandbox', json: true, args: ['a', 'b'] },
      mounts: [
        { text: 'type=cache,target=/c', from: '' },
        { text: 'from=b,"target=/x,y"', from: 'b' },
      ],
    })
  })

  test('ENV keeps quotes and knows its old form', () => {
    expect(only('ENV A="b c" D=e\\ f')).toMatchObject({
      pairs: [
        { name: 'A', value: '"b c"', legacy: false },
        { name: 'D', value: 'e\\ f', legacy: false },
      ],
    })
    expect(only('ENV A b  c')).toMatchObject({ pairs: [{ name: 'A', value: 'b  c', legacy: true }] })
  })

  test.each([
    ['RUN ["a", "b"] # c', ['["a", "b"] # c'], false],
    ["CMD ['a']", ["['a']"], false],
    ['CMD []', [], true],
    ['ENTRYPOINT', [], false],
    ['VOLUME /a /b', ['/a', '/b'], false],
    ['VOLUME ["/a b"]', ['/a b'], true],
    ['HEALTHCHECK --interval=5s CMD ["a"]', ['CMD', 'a'], true],
    ['WORKDIR /a  b ', ['/a  b'], false],
    ['ONBUILD RUN ["a"]', ['RUN', 'a'], false],
  ])('the arguments of %s', (text, args, json) => {
    expect(only(text)).toMatchObject({ args, json })
  })
})

describe('heredocs', () => {
  test('their bodies are kept as written, with name and expansion', () => {
    const run = only("RUN 3<<A cat <<-'B C' # c\n# x\\\n\tA \nA\n\t\tb\n\tB C\n")
    expect(run).toMatchObject({
      heredocs: [
        { name: 'A', body: '# x\\\n\tA \n', expand: true, chomp: false, fileDescriptor: 3 },
        { name: 'B C', body: '\t\tb\n', expand: false, chomp: true, fileDescriptor: 0 },
      ],
      ...{ line: 2, endLine: 7 },
    })
  })

  test('COPY has them among its sources by name', () => {
    expect(only('COPY <<f.txt a <<"g" /d/\nF\nf.txt\nG\ng\n')).toMatchObject({
      ...{ sources: ['a'], destination: '/d/' },
      heredocSources: [
        { name: 'f.txt', body: 'F\n', expand: true },
        { name: 'g', body: 'G\n', expand: false },
      ],
    })
  })

  test('a trigger carries its bodies along', () => {
    const onbuild = only('onbuild  RUN <<EOF\na\nEOF\n')
    expect(onbuild).toMatchObject({ keyword: 'ONBUILD', trigger: 'RUN <<EOF\na\nEOF' })
    const trigger = onbuild?.keyword === 'ONBUILD' ? onbuild.trigger : ''
    const instruction: Instruction = parseTrigger(trigger, { line: 7, endLine: 8 })
    expect(instruction).toMatchObject({ keyword: 'RUN', line: 7, endLine: 8, heredocs: [{ name: 'EOF', body: 'a\n' }] })
  })
})

describe('lines', () => {
  const tooLong = (bytes: number, end: string): string | undefined =>
    parseDockerfile(`FROM x\nRUN ${'a'.repeat(bytes - 4)}${end}`).errors[0]?.message

  test.each(['', '\n', '\nRUN b\n'])('65535 bytes are the limit (followed by %j)', (end) => {
    expect(tooLong(65535, end)).toBeUndefined()
    expect(tooLong(65536, end)).toBe('dockerfile line greater than max allowed size of 65535')
  })

  test('bytes count, not characters', () => {
    expect(parseDockerfile(`FROM x\nRUN ${'é'.repeat(40_000)}\n`).errors).toHaveLength(1)
  })

  test('a line too long where the first instruction should be leaves a file without instructions', () => {
    expect(parseDockerfile(`RUN ${'a'.repeat(70_000)}\n`).errors[0]?.message).toBe('file with no instructions')
  })

  test('a line too long ends a heredoc, which is said first', () => {
    const { errors } = parseDockerfile(`FROM x\nRUN <<EOF\n${'a'.repeat(70_000)}\nEOF\n`)
    expect(errors.map(({ message }) => message)).toEqual([
      'unterminated heredoc',
      'dockerfile line greater than max allowed size of 65535',
    ])
  })
})

describe('directives', () => {
  test('are read from the top', () => {
    const { escape, syntax, check } = parseDockerfile(
      '# syntax = docker/dockerfile:1 # x\n# CHECK=skip=A,B;error=true\n#escape=`\nFROM x\n',
    )
    expect({ escape, syntax }).toEqual({ escape: '`', syntax: 'docker/dockerfile:1' })
    expect(check).toEqual({ skip: new Set(['A', 'B']), skipAll: false, error: true })
  })

  test.each([
    '# syntax=docker/dockerfile',
    '# syntax=docker/dockerfile:1.14',
    '# syntax=docker.io/docker/dockerfile:1-labs',
    '# syntax=docker/dockerfile-upstream:master',
    '#!/usr/bin/env x\n# syntax=docker/dockerfile:1',
    '# escape=\\\n# syntax=docker/dockerfile:1@sha256:0',
    '# x\n# syntax=other/frontend',
    ' # syntax=other/frontend',
  ])('%j is read without a warning', (start) => {
    expect(parseDockerfile(`${start}\nFROM x\n`).warnings).toEqual([])
  })

  test.each([
    '# syntax=other/frontend:1',
    '//syntax=other/frontend:1',
    '#!x\n# syntax=other/frontend:1',
    '{"syntax":"other/frontend:1"}',
  ])('the frontend of %j is not known: a warning', (start) => {
    const { syntax, warnings } = parseDockerfile(start.startsWith('{') ? start : `${start}\nFROM x\n`)
    expect(syntax).toBe('other/frontend:1')
    expect(warnings).toMatchObject([{ rule: 'UnknownSyntax' }])
  })
})

describe('flags', () => {
  test.each(['COPY --new=1 a b', 'ADD --new a b', 'RUN --new=x a'])(
    'a flag that a newer frontend may know warns: %s',
    (text) => {
      const { errors, warnings } = parseDockerfile(`FROM x\n${text}\n`)
      expect(errors).toEqual([])
      expect(warnings).toMatchObject([{ rule: 'UnknownFlag', line: 2 }])
      expect(warnings[0]?.message).toMatch(/^unknown flag: --new/)
    },
  )

  test.each([
    'COPY --FROM=a a b',
    'ADD --from=a a b',
    'RUN --from=a b',
    'COPY --mount=a a b',
    'CMD --new a',
    'FROM --new x',
  ])('a flag that will never be is an error: %s', (text) => {
    expect(parseDockerfile(`FROM x\n${text}\n`).errors[0]?.message).toMatch(/unknown flag: --/)
  })

  test('they are read with the escape character of the file, byte by byte', () => {
    const { stages } = parseDockerfile('# escape=`\nFROM x\nCOPY --from=a`b`` --chown=é a b\nCOPY --from=a\\b a b\n')
    expect(stages[0]?.instructions).toMatchObject([{ from: 'ab`', chown: 'Ã©', sources: ['a'] }, { from: 'a\\b' }])
  })
})

describe('errors', () => {
  test.each([
    ['FROM golang: 1.7.3', 'Remove the blank after the colon: `FROM golang:1.7.3`.'],
    ['FROM golang: 1.7.3 AS b', 'Remove the blank after the colon: `FROM golang:1.7.3`.'],
    ['FROM x AS', 'Give the stage a name after AS, or remove AS.'],
    ['FROM', 'Name an image or an earlier stage.'],
    ['FROM x # base', 'Put the comment on a line of its own.'],
    ['FROM --platform linux/amd64 x', 'Write `--platform=linux/amd64`.'],
    ['FROM ${V:-a b}', 'Remove the blanks inside ${…}: FROM is split at every blank.'],
    ['FROM x AS 1a', 'Begin the name with a letter and use only letters, digits, `-`, `_` and `.`.'],
    ['FROM x AS $N', 'Write the name itself: variables are not expanded in a stage name.'],
    ['FROM x\nWORKDIR: /go', 'Remove the colon: `WORKDIR`.'],
    ['RUN a', 'Begin the file with FROM; only ARG may stand before it.'],
    ['FROM x\nCOPY --from a b', 'Write --from=VALUE, without blanks around the equals sign.'],
  ])('%j has a mend', (text, mend) => {
    expect(parseDockerfile(text).errors[0]?.mend).toBe(mend)
  })

  test('all that are independent are said, those of the parser first', () => {
    const { errors } = parseDockerfile('FROM x\nFOO\nENV A\nBAR a\nRUN <<EOF\nBAZ\n')
    expect(errors.map(({ message, line, endLine }) => [line, endLine, message])).toEqual([
      [3, 3, 'ENV must have two arguments'],
      [5, 6, 'unterminated heredoc'],
      [2, 2, 'dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)'],
      [4, 4, 'dockerfile parse error on line 4: unknown instruction: BAR (did you mean ARG?)'],
    ])
  })

  test('stand at the lines of the file that the Dockerfile is written in', () => {
    const { escape, stages, errors } = parseDockerfile('\ufeff# escape=`\nFROM x\nRUN a `\n  b\nFOO\n', 10)
    expect(escape).toBe('`')
    expect(stages[0]?.from.line).toBe(12)
    expect(stages[0]?.instructions).toMatchObject([{ text: 'RUN a   b', line: 13, endLine: 14 }])
    expect(errors.map(({ line }) => line)).toEqual([15])
  })

  test('instructions after a broken FROM are not said to stray', () => {
    expect(parseDockerfile('FROM x AS\nRUN a\nRUN b\n').errors).toHaveLength(1)
    expect(parseDockerfile('RUN a\nRUN b\nFROM x\n').errors).toHaveLength(1)
  })
})
