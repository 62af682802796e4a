import { describe, expect, test } from '@jest/globals'
import { layoutOf, locate } from '../../src/build/stage-layout.ts'
import { readVertexName } from '../../src/build/vertex-name.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { at, layout } from './fixtures.ts'

const nothing = { target: undefined, platform: undefined, stage: undefined, place: undefined, total: undefined }
const instruction = (more: object): object => ({ ...nothing, kind: 'stage', ...more })

describe('names of build steps', () => {
  test.each([
    ['[builder 4/6] RUN x', instruction({ stage: 'builder', place: 4, total: 6, text: 'RUN x' })],
    ['[2/3] RUN x', instruction({ place: 2, total: 3, text: 'RUN x' })],
    ['[linux/arm64  2/12] COPY a b', instruction({ platform: 'linux/arm64', place: 2, total: 12, text: 'COPY a b' })],
    [
      '[linux/amd64->arm64 builder 1/2] FROM x',
      instruction({ platform: 'linux/amd64->arm64', stage: 'builder', place: 1, total: 2, text: 'FROM x' }),
    ],
    [
      '[linux/arm/v7 stage-2 1/1] RUN [ -f ] ]',
      instruction({ platform: 'linux/arm/v7', stage: 'stage-2', place: 1, total: 1, text: 'RUN [ -f ] ]' }),
    ],
    ['[internal] load .dockerignore', { ...nothing, kind: 'internal', text: 'load .dockerignore' }],
    [
      '[linux/amd64 internal] load metadata for x',
      { ...nothing, kind: 'internal', platform: 'linux/amd64', text: 'load metadata for x' },
    ],
    ['[context deps] load from client', { ...nothing, kind: 'internal', text: 'load from client' }],
    ['[auth] library/x:pull token', { ...nothing, kind: 'internal', text: 'library/x:pull token' }],
    ['exporting to image', { ...nothing, kind: 'export', text: 'exporting to image' }],
    ['FROM docker.io/x', { ...nothing, kind: 'image', text: 'FROM docker.io/x' }],
    ['importing cache manifest from x', { ...nothing, kind: 'internal', text: 'importing cache manifest from x' }],
    ['https://example.com/x', { ...nothing, kind: 'other', text: 'https://example.com/x' }],
  ])('with one target: %s', (name, expected) => {
    expect(readVertexName(name, ['builder'])).toEqual(expected)
  })

  test.each([
    ['[prod builder 4/6] RUN x', instruction({ target: 'prod', stage: 'builder', place: 4, total: 6, text: 'RUN x' })],
    [
      '[builder builder 4/6] RUN x',
      instruction({ target: 'builder', stage: 'builder', place: 4, total: 6, text: 'RUN x' }),
    ],
    ['[prod 1/2] RUN x', instruction({ target: 'prod', place: 1, total: 2, text: 'RUN x' })],
    [
      '[prod linux/arm64 prod  1/12] RUN x',
      instruction({ target: 'prod', platform: 'linux/arm64', stage: 'prod', place: 1, total: 12, text: 'RUN x' }),
    ],
    [
      '[prod internal] load build context',
      { ...nothing, target: 'prod', kind: 'internal', text: 'load build context' },
    ],
    ['[prod] exporting to image', { ...nothing, target: 'prod', kind: 'export', text: 'exporting to image' }],
    ['[prod] FROM x', { ...nothing, target: 'prod', kind: 'image', text: 'FROM x' }],
    ['[internal] load local bake definitions', { ...nothing, kind: 'internal', text: 'load local bake definitions' }],
  ])('with several targets: %s', (name, expected) => {
    expect(readVertexName(name, ['prod', 'builder', 'pro'])).toEqual(expected)
  })
})

describe('the lines of a step', () => {
  const stages = layout(`FROM a AS builder
WORKDIR /x
RUN one && \\
  two $X \\
  three

FROM b
COPY x y
FROM c AS twice
RUN same
RUN other $X
RUN same
`)
  test.each([
    ['[builder 1/3] FROM x', { stage: 0, source: at(1) }],
    ['[builder 2/3] WORKDIR /x', { stage: 0, source: at(2) }],
    ['[builder 3/3] RUN x', { stage: 0, source: at(3, 5) }],
    ['[stage-1 2/2] COPY x y', { stage: 1, source: at(8) }],
    ['[stage-1 1/1] COPY x y', { stage: 1, source: at(8) }],
    // Triggers of an ONBUILD base are counted first and stand in no line of this file but FROM's.
    ['[builder 2/5] RUN trigger', { stage: 0, source: at(1) }],
    ['[builder 4/5] WORKDIR /x', { stage: 0, source: at(2) }],
    ['[internal] load metadata', undefined],
    ['[gone 1/1] RUN x', undefined],
    ['[twice 2/4] RUN same', { stage: 2, source: at(10) }],
    ['[twice 3/4] RUN other value', { stage: 2, source: at(11) }],
    ['[twice 4/4] RUN same', { stage: 2, source: at(12) }],
    // An ONBUILD ENV counts in the total, but has no place: the text tells.
    ['[builder 2/4] WORKDIR /x', { stage: 0, source: at(2) }],
    ['[builder 3/4] RUN one &&   two $X   three', { stage: 0, source: at(3, 5) }],
  ])('%s', (name, expected) => {
    expect(locate(readVertexName(name, ['x']), [stages])).toEqual(expected)
  })

  test('on a named context, and in one of several files', () => {
    const file = 'worker/Dockerfile'
    const text = 'FROM alpine AS one\nRUN x\nFROM base\nARG S\nCOPY lib /\nCOPY $S ./\nRUN echo $S\n'
    const several = layoutOf(parseDockerfile(text), { file, stages: [4, 9], onContext: new Set([1]) })
    const located = (name: string): object | undefined => locate(readVertexName(name, ['x']), [several])
    expect(located('[one 2/2] RUN x')).toEqual({ stage: 4, source: { ...at(2), file } })
    expect(located('[stage-1 1/4] COPY lib /')).toEqual({ stage: 9, source: { ...at(5), file } })
    // BuildKit counts the FROM, and gives it no place.
    expect(located('[stage-1 2/4] COPY mailer ./')).toEqual({ stage: 9, source: { ...at(6), file } })
    expect(located('[stage-1 3/4] RUN echo mailer')).toEqual({ stage: 9, source: { ...at(7), file } })
  })

  test('of a target that others are built from: in its own Dockerfile, whoever told of it first', () => {
    const runtime = layoutOf(parseDockerfile('FROM alpine AS run\n\nCOPY lib /lib\nRUN check $X\n'), { file: 'base', stages: [7] })
    const others = ['FROM a AS build\nRUN x\nFROM run\nRUN x\n', 'FROM a AS run\nRUN x\nRUN y\nFROM run\nRUN x\n']
    for (const text of others) {
      const other = layoutOf(parseDockerfile(text), { file: 'other', stages: [1, 2] })
      for (const dockerfiles of [[other, runtime], [runtime, other]]) {
        const located = (name: string): object | undefined => locate(readVertexName(name, ['x']), dockerfiles)
        expect(located('[run 2/3] COPY lib /lib')).toEqual({ stage: 7, source: { ...at(3), file: 'base' } })
        expect(located('[stage-1 1/1] RUN x')).toMatchObject({ stage: 2, source: { file: 'other' } })
        expect(located('[gone 1/1] RUN x')).toBeUndefined()
      }
    }
    const unnamed = layoutOf(parseDockerfile(others[0] ?? ''), { file: 'other', stages: [1, 2] })
    // A variable is filled in: then the stage's name alone tells.
    expect(locate(readVertexName('[run 3/3] RUN check 1', []), [unnamed, runtime])).toMatchObject({ stage: 7, source: at(4) })
  }) // prettier-ignore
})
