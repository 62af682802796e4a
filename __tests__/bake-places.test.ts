import { expect, test } from '@jest/globals'
import { inlinePlaces, placeOfInline } from '../src/bake-places.ts'
import { workspace } from './support/engine.ts'

const files = [
  {
    name: 'compose.yaml',
    text: [
      'services:',
      '  one:',
      '    build:',
      '      dockerfile_inline: |',
      '        FROM alpine:$VERSION',
      '',
      '        RUN echo $$HOME ${WHAT:-it} end',
      '  two:',
      '    build:',
      '      dockerfile_inline: |',
      '        FROM alpine:$VERSION',
      '',
      '        RUN echo $$HOME ${WHAT:-it} end',
      '  short:',
      '    build: { dockerfile_inline: "FROM scratch" }',
    ].join('\n'),
  },
  {
    name: 'docker-bake.hcl',
    text: 'target "flush" {\r\n  dockerfile-inline = <<EOT\r\n  FROM alpine\r\n    RUN echo $${X} %%{ y }\r\nEOT\r\n}\r\n',
  },
  { name: 'docker-bake.json', text: '{"target":{"json":{"dockerfile-inline":"FROM alpine\\nRUN a\\n"}}}' },
]
const filled = 'FROM alpine:3.22\n\nRUN echo $HOME this end\n'

test('is found under its own heading where others have the same, and the same names', () => {
  const service = (key: string): readonly string[] => [`  ${key}`, '    build:', '      dockerfile_inline: |', ...['FROM a', 'RUNN b'].map((line) => `        ${line}`)]
  const lines = ['networks:', '  three: {}', 'services:', ...['one: &one', 'two: # as one', '"three":'].flatMap(service)]
  const compose = [{ name: 'compose.yaml', text: lines.join('\n') }]
  const above = ['one', 'two', 'three'].map((name) => placeOfInline({ name, inline: 'FROM a\nRUNN b\n' }, compose)?.above)
  expect(above).toEqual([6, 11, 16])
}) // prettier-ignore

test('is found where its first line is blank', () => {
  const text = 'services:\n  a:\n    build:\n      dockerfile_inline: |\n\n        FROM a\n          RUNN b\n'
  const compose = [{ name: 'compose.yaml', text }]
  expect(placeOfInline({ name: 'a', inline: '\nFROM a\n  RUNN b\n' }, compose)).toEqual({ file: 'compose.yaml', above: 4 })
}) // prettier-ignore

test('that has no lines in its file goes by its target, whose heading is known', async () => {
  const text = 'services:\n  a:\n    build:\n      dockerfile_inline: "FROM a\\nRUNN b"\n'
  await using space = await workspace({
    'first.yaml': 'include:\n  - more/third.yaml\nservices: {}\n',
    'second.yaml': text,
    'more/third.yaml': text.replace('a:', 'included:').replace('services', 'include:\n  - ../first.yaml\nservices'),
  })
  const names = ['a', 'included', 'made'] as const
  const targets = names.map((name) => ({ name, inline: 'FROM a\nRUNN b' }))
  const placeOf = await inlinePlaces(['first.yaml', 'second.yaml'], targets, space.directory)
  expect(targets.map(placeOf)).toEqual([
    { file: 'second.yaml#a', above: 0, heading: { target: 'a', file: 'second.yaml', line: 2 } },
    {
      ...{ file: 'more/third.yaml#included', above: 0 },
      heading: { target: 'included', file: 'more/third.yaml', line: 4 },
    },
    { file: 'first.yaml#made', above: 0, heading: { target: 'made', file: 'first.yaml' } },
  ])
})

test.each([
  ['with variables that are filled in', 'one', filled, { file: 'compose.yaml', above: 4 }],
  ['a second time, under its own name', 'two', filled, { file: 'compose.yaml', above: 10 }],
  ['in quotes behind its key', 'short', 'FROM scratch', { file: 'compose.yaml', above: 14 }],
  ['with the indentation kept', 'flush', '  FROM alpine\n    RUN echo ${X} %{ y }\n', { file: 'docker-bake.hcl', above: 2 }],
  ['on one line, as JSON has it', 'json', 'FROM alpine\nRUN a\n', undefined],
  ['nowhere', 'one', 'FROM alpine\nRUN b\n', undefined],
])('an inline Dockerfile: %s', (_name, name, inline, place) => {
  expect(placeOfInline({ name, inline }, files)).toEqual(place)
}) // prettier-ignore
