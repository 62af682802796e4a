/** What must not change a graph, and what no text may do. */
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { outline, resolveText } from '../support/graph-outline.ts'

interface Instruction {
  readonly words: readonly string[]
  /** A heredoc's body and terminator: nothing may be put before it. */
  readonly body?: string
}

const name = fc.constantFrom('a', 'b', 'c', 'build', 'x-y', 'z.1')
const source = fc.oneof(name, fc.constantFrom('0', '1', 'alpine', 'reg.io/i:1', 'scratch'))
const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  fc
    .tuple(fc.constantFrom('alpine', 'scratch', 'a', 'b'), name)
    .map(([base, as]) => ({ words: ['FROM', base, 'AS', as] })),
  name.map((base) => ({ words: ['FROM', base] })),
  source.map((from) => ({ words: ['COPY', `--from=${from}`, '/x', '/y'] })),
  source.map((from) => ({ words: ['RUN', `--mount=type=bind,from=${from},target=/m`, 'make', 'all'] })),
  source.map((from) => ({ words: ['ONBUILD', 'COPY', `--from=${from}`, '/x', '/y'] })),
  fc.constant({ words: ['RUN', 'cat', '<<EOF'], body: 'FROM nothing AS hidden\nEOF' }),
  fc.constant({ words: ['COPY', '.', '/src'] }),
  fc.constant({ words: ['ENV', 'A=b'] }),
)
const file = fc
  .array(instruction, { minLength: 1, maxLength: 12 })
  .map((instructions): readonly Instruction[] => [{ words: ['FROM', 'alpine', 'AS', 'base'] }, ...instructions])

function plain(instructions: readonly Instruction[]): string {
  return instructions.map(({ words, body }) => `${words.join(' ')}\n${body === undefined ? '' : `${body}\n`}`).join('')
}

/** Everything but lines; names are passed through `rename`. */
function shape(text: string, rename: (name: string) => string = (same) => same): unknown {
  const { graph, target, errors } = resolveText(text)
  const stages = graph === undefined ? [] : outline(graph, target ?? -1)
  return {
    stages: stages.map((stage) => ({ ...stage, name: stage.name === null ? null : rename(stage.name) })),
    errors: errors.map(({ phase, scope, stage }) => [phase, scope, stage ?? null]),
    paths: graph?.stages.map((stage) => stage.contextPaths) ?? [],
  }
}

const filler = fc.constantFrom('', '\n', '# FROM x\n', '  # c \\\n', '\t\n# escape=`\n')
const gap = fc.constantFrom(' ', '  ', '\t', ' \\\n', ' \\\n  # FROM q\n', ' \\  \n\n\t# c \\\n ')

describe('comments, blank lines and continuations', () => {
  test('between instructions they leave the graph alone', () => {
    fc.assert(
      fc.property(file, fc.infiniteStream(filler), (instructions, fillers) => {
        const noisy = instructions.map((each) => `${String(fillers.next().value)}${plain([each])}`).join('')
        // A first line of `# escape=` would be a directive, so there is always a comment before.
        expect(shape(`# c\n${noisy}`)).toEqual(shape(plain(instructions)))
      }),
    )
  })

  test('within instructions, too', () => {
    fc.assert(
      fc.property(file, fc.infiniteStream(gap), (instructions, gaps) => {
        const noisy = instructions.map(({ words, body }) => {
          const line = words.reduce((text, word) => `${text}${String(gaps.next().value)}${word}`)
          return `${line}\n${body === undefined ? '' : `${body}\n`}`
        })
        expect(shape(noisy.join(''))).toEqual(shape(plain(instructions)))
      }),
    )
  })

  test('carriage returns before line feeds leave the graph alone', () => {
    fc.assert(
      fc.property(file, (instructions) => {
        expect(shape(plain(instructions).replaceAll('\n', '\r\n'))).toEqual(shape(plain(instructions)))
      }),
    )
  })
})

test('a stage renamed everywhere has the same graph under the new name', () => {
  fc.assert(
    fc.property(file, (instructions) => {
      const swap = (word: string): string => (word === 'build' ? 'renamed' : word.replace('from=build', 'from=renamed'))
      const renamed = instructions.map(({ words, ...rest }) => ({ words: words.map(swap), ...rest }))
      const original = plain(instructions)
      // Before its definition FROM means an image, and that is another one under the new name.
      const imageName = (value: unknown): unknown =>
        JSON.parse(JSON.stringify(value).replaceAll('library/build:', 'library/renamed:'))
      expect(shape(plain(renamed))).toEqual(imageName(shape(original, (old) => (old === 'build' ? 'renamed' : old))))
    }),
  )
})

describe('any text', () => {
  const fragment = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom(
      ...['FROM ', 'AS ', 'COPY ', '--from=', 'RUN ', '--mount=', 'type=', 'ONBUILD ', 'ARG ', 'ENV ', 'HEALTHCHECK '],
      ...[
        '<<EOF',
        '\nEOF\n',
        '\\\n',
        '\n',
        ' ',
        '$',
        '${',
        '}',
        ':-',
        '#',
        '%',
        '/',
        '"',
        "'",
        '`',
        '# escape=`\n',
        '[',
        ']',
        ',',
      ],
      ...[
        'alpine',
        'a',
        '0',
        '=',
        '--',
        '--platform=',
        '# check=',
        '# syntax=',
        '\ufeff',
        '\r',
        '\u00a0',
        '\ud800',
        'SHELL ',
        'EXPOSE ',
      ],
    ),
  )
  const text = fc.array(fragment, { maxLength: 40 }).map((parts) => parts.join(''))

  test('gives a graph or errors, never an exception', () => {
    fc.assert(
      fc.property(text, (dockerfile) => {
        const { graph, errors } = resolveText(dockerfile)
        expect(graph !== undefined || errors.length > 0).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('gives them in time that grows with the text', () => {
    const long = 60_000
    const hostile = [
      `FROM ${'${A:-'.repeat(long / 5)}`,
      `ARG V=${'a'.repeat(long)}\nFROM x:\${V//${'*a'.repeat(50)}*b/}\n`,
      `ARG V=${'a'.repeat(long)}\nFROM x:\${V%${'*a'.repeat(50)}*b}\n`,
      `ARG V=${'ab'.repeat(long / 2)}\nFROM x:\${V//a*c/}\n`,
      `FROM x\nRUN a${' '.repeat(long)}b <<EOF\nEOF\n`,
      `# check=a${' '.repeat(long)}b\nFROM x\n`,
      `FROM x\nRUN ${'<'.repeat(long)}\n`,
      `FROM x\n${'ONBUILD '.repeat(long / 8)}RUN a\n`,
      `FROM x\nRUN ${'\\\n'.repeat(long)}\n`,
      `FROM x\nCOPY --from=${'"'.repeat(long)} a b\n`,
      `FROM x\nRUN ["${'\\\\'.repeat(long / 2)}"]\n`,
      `FROM x AS ${'a-'.repeat(long / 2)}a\n`,
      `FROM ${'a/'.repeat(long / 2)}a\n`,
      `FROM x\nRUN --mount=${'a,'.repeat(long / 2)} b\n`,
      `FROM x\nENV ${'A=b '.repeat(long / 4)}\n`,
    ]
    for (const dockerfile of hostile) {
      const start = performance.now()
      resolveText(dockerfile)
      expect([dockerfile.slice(0, 30), performance.now() - start < 2000]).toEqual([dockerfile.slice(0, 30), true])
    }
  })
})
