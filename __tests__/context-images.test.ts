import { expect, test } from '@jest/globals'
import { invalidContextImages } from '../src/context-images.ts'
import { readInputs, type InputName } from '../src/inputs.ts'
import { draftPart, type PartDraft } from '../src/part-planning.ts'
import type { WantedTarget } from '../src/project.ts'

function draft(text: string, given: Partial<Record<InputName, string>>, wanted?: readonly WantedTarget[]): PartDraft {
  const part = {
    inputs: readInputs((name) => given[name] ?? '', {}).inputs,
    ...{ contextDir: '/w', dockerfilePath: '/w/Dockerfile', dockerfileText: text, dockerfileName: 'Dockerfile' },
    ...{ wanted, links: new Map<string, string>() },
  }
  return draftPart(part, 'linux/amd64')
}

const BAD = 'src=docker-image://Bad Ref'
const FAULT =
  '`src=docker-image://Bad Ref` is not an image reference: invalid reference format: repository name (library/Bad Ref) must be lowercase.'

test.each([['FROM src'], ['FROM scratch\nCOPY --from=src x /'], ['FROM busybox\nRUN --mount=from=src,target=/x true']])(
  'an image reference that is none is refused where a stage uses it: %s',
  (text) => {
    expect(invalidContextImages(draft(text, { 'build-contexts': BAD })).problems).toEqual([
      {
        input: 'build-contexts',
        message: `\`build-contexts\`: ${FAULT}`,
        mend: 'Write `docker-image://registry/name:tag`, in lower case.',
      },
    ])
  },
)

// As by docker, for which a variable in a bake file may be empty where nothing needs it.
test('one that no target uses is left alone, and so are images, the empty one, too', () => {
  const text = 'FROM src AS unused\nFROM scratch AS b\nCOPY --from=good x /\nCOPY --from=none x /'
  const good = 'good=docker-image://127.0.0.1:1/a/b:c\nnone=docker-image://scratch'
  expect(invalidContextImages(draft(text, { targets: 'b', 'build-contexts': `${BAD}\n${good}` }))).toEqual({
    ...{ problems: [], targetProblems: [] },
  })
})

test('one of a bake file is told of the target that uses it', () => {
  const wanted = [
    { name: 'one', stage: 'a', tags: [], place: 0 },
    { name: 'two', stage: 'b', tags: [], place: 1 },
  ]
  const text = 'FROM scratch AS a\nFROM src AS b'
  expect(invalidContextImages(draft(text, { 'build-contexts': BAD }, wanted)).targetProblems).toMatchObject([
    { input: 'bake-files', message: `The bake target \`two\`: its context ${FAULT}` },
  ])
})
