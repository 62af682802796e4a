import { expect, test } from '@jest/globals'
import { resolve } from 'node:path'
import { missingContext, missingDockerfile } from '../src/bake-missing.ts'
import type { Problem } from '../src/errors.ts'
import { workspace } from './support/engine.ts'

const FILES = {
  ...{ Dockerfile: '', 'docker/dev.Dockerfile': '', 'app/Dockerfile': '', 'app/more.Dockerfile': '' },
  ...{ 'folders/Dockerfile/x': '', 'docker/web/x': '' },
}
const RUN =
  'bake counts paths from where it is run, and not from its file as `docker compose` does. Set the input `context: docker`, and it is run there.'
const PLAIN = 'Give `context` from where bake is run: the root of the checkout, or what the input `context` says.'

interface Said {
  readonly context?: string
  readonly dockerfile?: string
  readonly file?: string
  /** Where bake is run. */
  readonly place?: string
}

async function dockerfile({ context = '.', dockerfile = 'Dockerfile', file = 'docker/compose.yaml', place = '.' }: Said): Promise<Problem> {
  await using space = await workspace(FILES)
  const contextDir = resolve(space.directory, context)
  const path = resolve(contextDir, dockerfile)
  const inputs = { bakeFiles: [file], context: place }
  return missingDockerfile({ context, dockerfile, contextDir, path, inputs, workspace: space.directory })
} // prettier-ignore

test.each<[string, Said, string]>([
  ['a Dockerfile beside the file', { dockerfile: 'dev.Dockerfile' }, 'there is no Dockerfile `dev.Dockerfile`. There is `docker/dev.Dockerfile`: RUN'],
  ['a context above the file', { context: '..' }, 'there is no Dockerfile `../Dockerfile`. There is `Dockerfile`: RUN'],
  ['the same where it is said where bake is run', { context: '..', place: 'app' }, `there is no Dockerfile \`../Dockerfile\`. ${PLAIN}`],
  ['both', { context: '..', dockerfile: 'docker/dev.Dockerfile' }, 'there is no Dockerfile `../docker/dev.Dockerfile`. There is `docker/dev.Dockerfile`: RUN'],
  ['one that is nowhere, of a context outside', { context: '..', dockerfile: 'no' }, `there is no Dockerfile \`../no\`. ${PLAIN}`],
  ['a near name', { context: 'app', dockerfile: 'mor.Dockerfile' }, 'there is no Dockerfile `app/mor.Dockerfile`. Did you mean `more.Dockerfile`? `dockerfile` is relative to `context`.'],
  ['a directory', { context: 'folders' }, 'its Dockerfile `folders/Dockerfile` is a directory. Give a readable file as `dockerfile`, relative to `context`.'],
  ['a name that nothing is like', { context: 'docker/web', dockerfile: 'x.y' }, 'there is no Dockerfile `docker/web/x.y`. Give `dockerfile` relative to `context`.'],
])('a Dockerfile that is not there: %s', async (_name, said, text) => {
  const { message, mend } = await dockerfile(said)
  expect(`${message} ${mend ?? ''}`).toBe(text.replace('RUN', RUN))
}) // prettier-ignore

test('a context that is not there, but beside the file', async () => {
  await using space = await workspace(FILES)
  const told = (context: string, file = 'docker/compose.yaml'): Problem =>
    missingContext({ context, inputs: { bakeFiles: [file], context: '.' }, workspace: space.directory })
  expect(told('./web')).toEqual({
    message: 'the context `./web` is no directory of the checkout.',
    mend: `There is \`docker/web\`: ${RUN}`,
  })
  expect(told('../app').mend).toBe(`There is \`app\`: ${RUN}`)
  expect([told('web', 'compose.yaml').mend, told('gone').mend, told('../../gone').mend]).toEqual([PLAIN, PLAIN, PLAIN])
})
