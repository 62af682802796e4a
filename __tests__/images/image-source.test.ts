import { describe, expect, test } from '@jest/globals'
import { parseImageSource } from '../../src/images/image-source.ts'

const digest = `sha256:${'ab'.repeat(32)}`

describe('an image source', () => {
  test.each([
    ['nginx', { kind: 'registry', ref: 'docker.io/library/nginx:latest' }],
    ['docker-image://ghcr.io/org/nginx:1', { kind: 'registry', ref: 'ghcr.io/org/nginx:1' }],
    [` ghcr.io/org/nginx@${digest} `, { kind: 'registry', ref: `ghcr.io/org/nginx@${digest}` }],
    ['oci-layout:///srv/base', { kind: 'oci-layout', path: '/srv/base' }],
    ['oci-layout://out/base:v1', { kind: 'oci-layout', path: 'out/base', tag: 'v1' }],
    [`oci-layout:///srv/base@${digest}`, { kind: 'oci-layout', path: '/srv/base', digest }],
    [`oci-layout:///srv/base:v1@${digest}`, { kind: 'oci-layout', path: '/srv/base', tag: 'v1', digest }],
  ])('%s is understood', (text, source) => {
    expect(parseImageSource(text)).toEqual(source)
  })

  test.each([
    ['', 'invalid reference format'],
    ['Nginx', 'invalid reference format: repository name (library/Nginx) must be lowercase'],
    ['oci-layout://', 'an oci-layout:// source needs the path of a directory'],
    ['oci-layout:///srv:a/b', 'invalid tag format ("a/b")'],
    ['oci-layout:///srv@sha256:../../etc', 'invalid checksum digest length ("sha256:../../etc")'],
    ['https://example.com/x', 'https:// is no kind of image; use an image reference, docker-image:// or oci-layout://'],
  ])('%j is refused with a reason', (text, message) => {
    expect(() => parseImageSource(text)).toThrow(message)
  })
})
