import { describe, expect, test } from '@jest/globals'
import {
  digestFault,
  familiarName,
  formatReference,
  InvalidReferenceError,
  normalizeReference,
  parseReference,
  withDigest,
  withTag,
} from '../../src/images/reference.ts'

const hex = '0123456789abcdef'.repeat(4)
const digest = `sha256:${hex}`

describe('the full form of a name', () => {
  test.each([
    ['alpine', 'docker.io/library/alpine:latest'],
    ['alpine:3.22', 'docker.io/library/alpine:3.22'],
    ['user/app', 'docker.io/user/app:latest'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/user/app:1', 'docker.io/user/app:1'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['[::1]:5000/app:v1', '[::1]:5000/app:v1'],
    ['UPPER/app', 'UPPER/app:latest'],
    ['Docker.io/app', 'Docker.io/app:latest'],
    ['127.0.0.1:5000/a/b/c', '127.0.0.1:5000/a/b/c:latest'],
    ['ghcr.io/o/r@' + digest, 'ghcr.io/o/r@' + digest],
    ['alpine:3@' + digest, 'docker.io/library/alpine:3@' + digest],
    ['a__b/c---d/e.f_g', 'docker.io/a__b/c---d/e.f_g:latest'],
    ['host:5000', 'docker.io/library/host:5000'],
    ['xn--7o8h.com/myimage:xn--7o8h.com', 'xn--7o8h.com/myimage:xn--7o8h.com'],
    [
      'docker.io/1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3/x',
      'docker.io/1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3/x:latest',
    ],
  ])('of %s is %s', (text, full) => {
    expect(normalizeReference(text)).toBe(full)
  })
})

describe('the familiar form of a name', () => {
  test.each([
    ['docker.io/library/alpine:3', 'alpine:3'],
    ['alpine', 'alpine'],
    ['docker.io/user/app:1', 'user/app:1'],
    ['docker.io/library/distros/ubuntu', 'library/distros/ubuntu'],
    ['ghcr.io/library/x:1', 'ghcr.io/library/x:1'],
    ['alpine:3@' + digest, 'alpine:3@' + digest],
  ])('of %s is %s', (text, short) => {
    expect(familiarName(text)).toBe(short)
  })
})

describe('a text that is no name is refused with the message docker prints', () => {
  test.each([
    ['', 'invalid reference format'],
    [' alpine', 'invalid reference format'],
    ['alpine:', 'invalid reference format'],
    ['-alpine', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a_-b', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['http://example.com/app', 'invalid reference format'],
    ['[fe80::1%eth0]:5000/app', 'invalid reference format'],
    ['app:' + 'a'.repeat(129), 'invalid reference format'],
    ['app@sha256:abc', 'invalid reference format'],
    ['alpine\n', 'invalid reference format'],
    ['Foo', 'invalid reference format: repository name (library/Foo) must be lowercase'],
    ['docker.io/Foo:1', 'invalid reference format: repository name (library/Foo) must be lowercase'],
    ['ghcr.io/Owner/app:1', 'invalid reference format: repository name (Owner/app) must be lowercase'],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    ['a/' + 'b'.repeat(256), 'repository name must not be more than 255 characters'],
    ['app@sha256:' + 'a'.repeat(63), 'invalid checksum digest length'],
    ['app@sha256:' + 'A'.repeat(64), 'invalid checksum digest format'],
    ['app@md5:' + 'a'.repeat(32), 'unsupported digest algorithm'],
    ['app:1@SHA256:' + 'a'.repeat(64), 'invalid checksum digest format'],
    [
      'app@SHA256:' + 'a'.repeat(64),
      'invalid reference format: repository name (library/app@SHA256) must be lowercase',
    ],
  ])('%j', (text, message) => {
    expect(() => parseReference(text)).toThrow(new InvalidReferenceError(text, message))
  })

  test('255 characters of path are still allowed, whatever the length of the host', () => {
    const path = `a/${'b'.repeat(253)}`
    expect(parseReference(`registry.example.com/${path}`)).toEqual({ domain: 'registry.example.com', path })
  })

  test('a hostile name of many repeated parts is refused fast', () => {
    const started = performance.now()
    expect(() => parseReference('a.'.repeat(20_000) + '!')).toThrow('invalid reference format')
    expect(() => parseReference('a-'.repeat(20_000) + '!')).toThrow('invalid reference format')
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('tag and digest', () => {
  test('a new tag keeps the digest, a new digest keeps the tag', () => {
    const reference = parseReference('alpine:3')
    expect(formatReference(withDigest(reference, digest))).toBe(`docker.io/library/alpine:3@${digest}`)
    expect(formatReference(withTag(withDigest(reference, digest), '4'))).toBe(`docker.io/library/alpine:4@${digest}`)
  })

  test('bad ones are refused', () => {
    const reference = parseReference('alpine')
    expect(() => withTag(reference, '-x')).toThrow('invalid tag format')
    expect(() => withDigest(reference, 'sha256:../../etc')).toThrow('invalid digest format')
    expect(() => withDigest(reference, 'sha256:' + 'a'.repeat(40))).toThrow('invalid checksum digest length')
  })

  test('a digest is judged as go-digest judges it', () => {
    expect(digestFault(digest)).toBeUndefined()
    expect(digestFault('sha512:' + 'a'.repeat(128))).toBeUndefined()
    expect(digestFault(':abc')).toBe('invalid checksum digest format')
    expect(digestFault('sha256:')).toBe('invalid checksum digest format')
    expect(digestFault('blake3:abc')).toBe('unsupported digest algorithm')
  })
})
