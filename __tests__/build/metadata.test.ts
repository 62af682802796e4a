import { expect, test } from '@jest/globals'
import { readMetadata } from '../../src/build/metadata.ts'

const FILE = {
  'prod_a': {
    'buildx.build.ref': 'default/default/x',
    'buildx.build.provenance': { buildType: 't' },
    'containerimage.config.digest': 'sha256:c',
    'containerimage.descriptor': { mediaType: 'application/vnd.oci.image.index.v1+json', digest: 'sha256:d', size: 1 },
    'containerimage.digest': 'sha256:d',
    'image.name': 'docker.io/a:1,docker.io/a:2',
  },
  'buildx.build.warnings': [],
} // prettier-ignore

const TARGETS = [
  { id: 'prod_a', name: 'prod.a' },
  { id: 'gone', name: 'gone' },
]

test('metadata is keyed by the user’s names of the targets', () => {
  const { results, output } = readMetadata(JSON.stringify(FILE), TARGETS)
  expect(results[0]).toEqual({
    target: 'prod.a',
    digest: 'sha256:d',
    configDigest: 'sha256:c',
    names: ['docker.io/a:1', 'docker.io/a:2'],
    mediaType: 'application/vnd.oci.image.index.v1+json',
    buildRef: 'default/default/x',
    provenance: { buildType: 't' },
  })
  expect(results[1]).toMatchObject({ target: 'gone', digest: undefined, names: [] })
  expect(output).toEqual({ 'prod.a': FILE['prod_a'], gone: {}, 'buildx.build.warnings': [] })
})

test.each(['', 'null', '[1]', '{"prod_a":7}', '{'])('a file that is none (%s) says nothing', (text) => {
  expect(readMetadata(text, TARGETS).results[0]).toMatchObject({ digest: undefined, names: [] })
})
