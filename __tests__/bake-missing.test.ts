import { expect, test } from '@jest/globals'
import { resolve } from 'node:path'
import { missingContext, missingDockerfile } from '../src/bake-missing.ts'
import type { Problem } from '../src/errors.ts'
import { workspace } from './support/engine.ts'

const FILES = {
  ...{ Dockerfile: '', 'docker/dev.Dockerfile': '', 'app/Dockerfile': '', 'app/more.Dockerfile': '' },
  ...{ 'folders/Dockerfile/x': '', 'docker/web/x': '' },
}
const COUNTED =
  'bake counts paths from the root of the checkout, where it is run, and not from its file as `docker compose` does.'

interface Said {
  readonly context?: string
  readonly dockerfile?: string
  readonly file?: string
}

async function dockerfile({ context = '.', dockerfile = 'Dockerfile', file = 'docker/compose.yaml' }: Said): Promise<Problem> {
  await using space = await workspace(FILES)
  const contextDir = resolve(space.directory, context)
  const path = resolve(contextDir, dockerfile)
  return missingDockerfile({ ...{ context, dockerfile, contextDir, path }, files: [file], workspace: space.directory })
} // prettier-ignore

test.each<[string, Said, string]>([
  ['a Dockerfile beside the file', { dockerfile: 'dev.Dockerfile' }, 'there is no Dockerfile `dev.Dockerfile`. There is `docker/dev.Dockerfile`: COUNTED Write `docker` as `context`, or, to keep the context, `docker/dev.Dockerfile` as `dockerfile`.'],
  ['a context above the file', { context: '..' }, 'there is no Dockerfile `../Dockerfile`. There is `Dockerfile`: COUNTED Write `.` as `context`.'],
  ['both', { context: '..', dockerfile: 'docker/dev.Dockerfile' }, 'there is no Dockerfile `../docker/dev.Dockerfile`. There is `docker/dev.Dockerfile`: COUNTED Write `.` as `context`.'],
  ['one that is nowhere, of a context outside', { context: '..', dockerfile: 'no' }, 'there is no Dockerfile `../no`. Give `context` from the root of the checkout, where bake is run.'],
  ['a near name', { context: 'app', dockerfile: 'mor.Dockerfile' }, 'there is no Dockerfile `app/mor.Dockerfile`. Did you mean `more.Dockerfile`? `dockerfile` is relative to `context`.'],
  ['a directory', { context: 'folders' }, 'its Dockerfile `folders/Dockerfile` is a directory. Give a readable file as `dockerfile`, relative to `context`.'],
  ['a name that nothing is like', { context: 'docker/web', dockerfile: 'x.y' }, 'there is no Dockerfile `docker/web/x.y`. Give `dockerfile` relative to `context`.'],
])('a Dockerfile that is not there: %s', async (_name, said, text) => {
  const { message, mend } = await dockerfile(said)
  expect(`${message} ${mend ?? ''}`).toBe(text.replace('COUNTED', COUNTED))
}) // prettier-ignore

test('a context that is not there, but beside the file', async () => {
  await using space = await workspace(FILES)
  const told = (context: string, file = 'docker/compose.yaml'): Problem =>
    missingContext({ context, files: [file], workspace: space.directory })
  expect(told('./web')).toEqual({
    message: 'the context `./web` is no directory of the checkout.',
    mend: `There is \`docker/web\`: ${COUNTED} Write \`docker/web\` as \`context\`.`,
  })
  expect(told('../app').mend).toMatch(/Write `app` as `context`\.$/)
  const plain = 'Give `context` from the root of the checkout, where bake is run.'
  expect([told('web', 'compose.yaml').mend, told('gone').mend, told('../../gone').mend]).toEqual([plain, plain, plain])
})
