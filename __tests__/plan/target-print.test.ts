/** What of the inputs makes another image. */
import { describe, expect, test } from '@jest/globals'
import type { ImageOptions } from '../../src/plan/target-print.ts'
import { printed } from '../support/prints.ts'

const TEXT = 'FROM img\nCOPY a /\n'

function fingerprint(image: Partial<ImageOptions>, text = TEXT): string | undefined {
  return printed(text, { args: image.buildArgs ?? {}, image }).target.fingerprint
}

const a1 = { key: 'a', value: '1' }
const a2 = { key: 'a', value: '2' }
const b1 = { key: 'b', value: '1' }
const created = (value: string) => ({ key: 'org.opencontainers.image.created', value })
const volatileLabels = ['org.opencontainers.image.created']
const OFF = { provenance: 'false' }
const MAX = { provenance: 'mode=max' }

type Row = readonly [what: string, before: Partial<ImageOptions>, now: Partial<ImageOptions>]

const DIFFERENT: readonly Row[] = [
  ['a label', { labels: [a1] }, { labels: [a2] }],
  ['a label more', { labels: [a1] }, { labels: [a1, b1] }],
  ['which of two labels with one key is last', { labels: [a1, a2] }, { labels: [a2, a1] }],
  ['an annotation', { annotations: ['a=1'] }, { annotations: ['a=2'] }],
  ['where an annotation stands', { annotations: ['manifest:a=1'] }, { annotations: ['index:a=1'] }],
  ['which of two annotations with one key is last', { annotations: ['a=1', 'a=2'] }, { annotations: ['a=2', 'a=1'] }],
  ['provenance', {}, OFF],
  ['the mode of provenance', { provenance: 'mode=min' }, MAX],
  ['attestations by default', {}, { defaultAttestations: false }],
  ['sbom', {}, { sbom: 'true' }],
  ['an attestation', {}, { attests: ['type=sbom'] }],
  ['compression', {}, { compression: 'zstd' }],
  ['what an output is', { outputs: ['type=image'] }, { outputs: ['type=oci'] }],
  ['an option of an output', { outputs: ['type=image'] }, { outputs: ['type=image,oci-mediatypes=false'] }],
  [
    'which of two values of an output is last',
    { outputs: ['type=image,annotation.a=1,annotation.a=2'] },
    { outputs: ['type=image,annotation.a=2,annotation.a=1'] },
  ],
  ['an argument of BuildKit’s', {}, { buildArgs: { BUILDKIT_INLINE_CACHE: '1' } }],
  ['the time that an image is given', {}, { buildArgs: { SOURCE_DATE_EPOCH: '0' } }],
  // Of these a provenance attestation tells.
  ['that there are arguments at all', {}, { buildArgs: { UNKNOWN: '1' } }],
  ['that there are labels at all', { volatileLabels }, { labels: [created('1')], volatileLabels }],
  ['the name of the Dockerfile', {}, { file: 'docker/Dockerfile.ci' }],
  ['network', {}, { network: 'none' }],
  ['names of hosts', {}, { addHosts: ['a=1.2.3.4'] }],
  ['a named context', {}, { buildContexts: [{ key: 'c', value: 'dir' }] }],
  [
    'what a named context stands for',
    { buildContexts: [{ key: 'c', value: 'docker-image://a' }] },
    { buildContexts: [{ key: 'c', value: 'docker-image://b' }] },
  ],
  [
    'what an image is mapped to',
    {},
    { externalImages: [{ name: 'docker.io/library/img:latest', source: { kind: 'registry', ref: 'r/img' } }] },
  ],
  ['an undeclared argument, with mode=max', { ...MAX, buildArgs: { A: '1' } }, { ...MAX, buildArgs: { A: '2' } }],
  ['an ignore pattern, with mode=max', { ...MAX }, { ...MAX, ignorePatterns: [['', ['a']]] }],
  ['images looked up anew, with mode=max', { ...MAX }, { ...MAX, pull: true }],
  ['a comment, with mode=max', { ...MAX, dockerfileText: '# a' }, { ...MAX, dockerfileText: '# b' }],
  [
    'a comment, with an attestation of mode=max',
    { ...OFF, attests: ['type=provenance,mode=max'], dockerfileText: '# a' },
    { ...OFF, attests: ['type=provenance,mode=max'], dockerfileText: '# b' },
  ],
]

const EQUAL: readonly Row[] = [
  ['the order of labels', { labels: [a1, b1] }, { labels: [b1, a1] }],
  ['a label that counts no more', { labels: [a1, a2] }, { labels: [a2] }],
  ['the order of annotations', { annotations: ['a=1', 'index:b=1'] }, { annotations: ['index:b=1', 'a=1'] }],
  [
    'a volatile label',
    { labels: [created('1')], volatileLabels },
    { labels: [created('2')], volatileLabels },
  ],
  [
    'a volatile annotation',
    { annotations: ['index,manifest[linux/amd64]:org.opencontainers.image.created=1'], volatileLabels },
    { annotations: ['index,manifest[linux/amd64]:org.opencontainers.image.created=2'], volatileLabels },
  ],
  ['where an output goes', { outputs: ['type=oci,dest=a.tar'] }, { outputs: ['type=oci,dest=b.tar,tar=false'] }],
  ['the order of an output’s fields', { outputs: ['type=image,x=1,y=2'] }, { outputs: ['y=2,type=image,x=1'] }],
  ['an undeclared argument', { buildArgs: { A: '1' } }, { buildArgs: { A: '2', B: '1' } }],
  ['pull', {}, { pull: true }],
  ['an ignore pattern', {}, { ignorePatterns: [['', ['a']]] }],
  ['a comment', { dockerfileText: '# a' }, { dockerfileText: '# b' }],
  ['the folder of the Dockerfile', { file: 'a/Dockerfile' }, { file: 'b/Dockerfile' }],
  ['what an image that is not used is mapped to', {}, { externalImages: [{ name: 'docker.io/library/x', source: 1 }] }],
  ['network, without provenance and RUN', OFF, { ...OFF, network: 'none' }],
  ['the folder of a named context', { buildContexts: [{ key: 'c', value: 'a' }] }, { buildContexts: [{ key: 'c', value: 'b' }] }],
] // prettier-ignore

describe('a target’s fingerprint', () => {
  test.each(DIFFERENT)('changes with %s', (_what, before, now) => {
    expect(fingerprint(now)).not.toBe(fingerprint(before))
  })

  test.each(EQUAL)('does not change with %s', (_what, before, now) => {
    expect(fingerprint(before)).toMatch(/^sha256:/)
    expect(fingerprint(now)).toBe(fingerprint(before))
  })

  test('tells images of one digest by their names where provenance does', () => {
    const of = (name: string, image: Partial<ImageOptions>) =>
      printed(`FROM ${name}\nCOPY a /\n`, {
        images: { 'docker.io/library/x:1': 'sha256:1', 'docker.io/library/x:2': 'sha256:1' },
        image,
      }).target.fingerprint
    expect(of('x:1', {})).not.toBe(of('x:2', {}))
    expect(of('x:1', OFF)).toBe(of('x:2', OFF))
  })

  test('is of every platform, and of none where one is not known', () => {
    const amd = printed('FROM img\n', { platform: 'linux/amd64' })
    const arm = printed('FROM img\n', { platform: 'linux/arm64' })
    expect(amd.target.fingerprint).not.toBe(arm.target.fingerprint)
    const lost = printed('FROM img\n', { images: { 'docker.io/library/img:latest': undefined } })
    expect(lost.target.fingerprint).toBeUndefined()
  })
})
