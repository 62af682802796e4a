import { describe, expect, test } from '@jest/globals'
import { judge } from '../../src/build/failure-judgement.ts'

const HUB = 'https://registry-1.docker.io/v2/library/node/manifests/20'
const metadata = (error: string) =>
  ({ kind: 'internal', text: 'load metadata for docker.io/library/node:20', error }) as const
const stage = (text: string, error: string) => ({ kind: 'stage', text, error }) as const
const pushed = (error: string) => ({ kind: 'export', text: 'exporting to image', error }) as const // prettier-ignore

describe('may pass', () => {
  // Texts without a source were provoked on the test engine (BuildKit 0.25 in Docker 28) by a registry that fails.
  test.each([
    ['503 on a lookup', metadata('unexpected status from HEAD request to http://127.0.0.1:4007/v2/library/alpine/manifests/3.22: 503 Service Unavailable'),
      '127.0.0.1:4007 answered 503 Service Unavailable', '127.0.0.1:4007/library/alpine:3.22'],
    ['429 on a lookup', metadata('unexpected status from HEAD request to http://127.0.0.1:4007/v2/library/alpine/manifests/3.22: 429 Too Many Requests'),
      '127.0.0.1:4007 answered 429 Too Many Requests', '127.0.0.1:4007/library/alpine:3.22'],
    ['a lookup that is broken off', metadata('failed to do request: Head "https://127.0.0.1:4007/v2/library/alpine/manifests/3.22": EOF'),
      '127.0.0.1:4007 ended the connection too early', '127.0.0.1:4007/library/alpine:3.22'],
    ['429 on a push, in the registry’s words', pushed('failed to push 127.0.0.1:4007/probe/x:a: toomanyrequests: status 429 on demand'),
      '127.0.0.1:4007 answered 429 Too Many Requests', '127.0.0.1:4007/probe/x:a'],
    ['503 on a push, in the registry’s words', pushed('failed to push 127.0.0.1:4007/probe/x:b: unavailable: status 503 on demand'),
      '127.0.0.1:4007 answered 503 Service Unavailable', '127.0.0.1:4007/probe/x:b'],
    ['a push that is broken off', pushed('failed to push 127.0.0.1:4007/probe/x:b: failed to do request: Post "https://127.0.0.1:4007/v2/probe/x/blobs/uploads/": EOF'),
      '127.0.0.1:4007 ended the connection too early', '127.0.0.1:4007/probe/x:b'],
    ['a push that is broken off, without a name', pushed('error writing config blob: failed to get status: error getting writer status: EOF'),
      'the registry ended the connection too early', undefined],
    ['a registry that is not there', pushed('failed to push 127.0.0.1:1/a/b:1: failed to do request: Head "https://127.0.0.1:1/v2/a/b/blobs/sha256:aa": dial tcp 127.0.0.1:1: connect: connection refused'),
      '127.0.0.1:1 refused the connection', '127.0.0.1:1/a/b:1'],
    // https://github.com/kubernetes-sigs/kueue/issues/14925
    ['502 of the login', pushed('failed to push us-central1-docker.pkg.dev/k8s/kueue:v1: failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://us-central1-docker.pkg.dev/v2/token: 502 Bad Gateway: <!DOCTYPE html>\n<html lang=en>'),
      'us-central1-docker.pkg.dev answered 502 Bad Gateway', 'us-central1-docker.pkg.dev/k8s/kueue:v1'],
    // https://github.com/docker/build-push-action/issues/334
    ['a login that is broken off', pushed('failed to fetch oauth token: Get https://auth.docker.io/token?scope=repository%3Ao%2Fk%3Apull%2Cpush&service=registry.docker.io: EOF'),
      'auth.docker.io ended the connection too early', undefined],
    // https://github.com/zeta-chain/node/pull/3497
    ['500 on a layer', metadata('failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/busybox/blobs/sha256:af47096251092caf59498806ab8d58e8173ecf5a182f024ce9d635b5b4a55d66: 500 Internal Server Error'),
      'registry-1.docker.io answered 500 Internal Server Error', 'docker.io/library/busybox'],
    // https://github.com/docker/buildx/issues/507
    ['a time-out', metadata(`failed to do request: Head ${HUB}: dial tcp 3.211.199.249:443: i/o timeout`),
      'registry-1.docker.io did not answer in time', 'docker.io/library/node:20'],
    // https://github.com/drawdb-io/drawdb/issues/293
    ['a reset', metadata('failed to do request: Head "https://dockerproxy.com/v2/library/node/manifests/20-alpine?ns=docker.io": read tcp 192.168.127.130:44148->150.136.252.237:443: read: connection reset by peer'),
      'dockerproxy.com broke the connection off', 'dockerproxy.com/library/node:20-alpine'],
    // https://github.com/docker/build-push-action/issues/1162
    ['a reset while a RUN fetches its base’s layers', stage('RUN make', 'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://production.cloudflare.docker.com/registry-v2/docker/registry/v2/blobs/sha256/1d/1d34/data?verify=1": read tcp 172.17.0.3:42364->1.2.0.8:443: read: connection reset by peer'),
      'production.cloudflare.docker.com broke the connection off', undefined],
    // https://github.com/docker/build-push-action/issues/1065
    ['a handshake', pushed('failed to push ghcr.io/o/a:1: failed to do request: Head "https://ghcr.io/v2/o/a/blobs/sha256:aa": net/http: TLS handshake timeout'),
      'ghcr.io did not finish the TLS handshake in time', 'ghcr.io/o/a:1'],
    // https://github.com/docker/build-push-action/issues/761
    ['a closed pipe', pushed('failed to push ghcr.io/finchsec/kali:latest: failed to copy: io: read/write on closed pipe'),
      'ghcr.io ended the connection too early', 'ghcr.io/finchsec/kali:latest'],
    // https://github.com/moby/moby/issues/20731 has the same of a mirror behind a broken name server
    ['a name server', metadata(`failed to do request: Head "${HUB}": dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: server misbehaving`),
      'registry-1.docker.io could not be found for now (name server)', 'docker.io/library/node:20'],
    // Two builds that loaded the same image at once on the test engine.
    ['the same name at the same moment', pushed('image "docker.io/soak/prod:latest": already exists'),
      'another build gave its image this name at the same moment', undefined],
  ])('%s', (_, step, why, image) => {
    expect(judge(step)).toEqual({ kind: 'passing', why, image })
  }) // prettier-ignore
})

describe('is a layer that the builder has lost', () => {
  const snapshots = '/var/lib/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots'
  test.each([
    ['an export', pushed(`failed to mount /tmp/buildkit-mount1: [{Type:overlay Options:[lowerdir=${snapshots}/7/fs:${snapshots}/6/fs]}]: no such file or directory`)],
    ['a command', { kind: 'stage' as const, text: 'RUN make', error: `process "/bin/sh -c make" did not complete successfully: mount source: "overlay", target: "/x", fstype: overlay, flags: 0, data: "workdir=${snapshots}/9/work,lowerdir=${snapshots}/7/fs", err: no such file or directory` }],
    ['a snapshot that was cleaned away', { kind: 'internal' as const, text: 'exporting layers', error: 'failed to commit za1oxvxs7yj7sixifijob9843 to p9og8a777k0ux0r5jll29rnyc during finalize: failed to stat active key during commit: snapshot za1oxvxs7yj7sixifijob9843 does not exist: not found' }],
    ['one beneath', stage('COPY a /', 'failed to apply diffs: failed to stat lower snapshot oqp2tt0j92m39s8wogp0pul7d: snapshot oqp2tt0j92m39s8wogp0pul7d does not exist: not found')],
  ])('%s', (_, step) => {
    expect(judge(step)).toEqual({ kind: 'lost' })
  }) // prettier-ignore
})

describe('would fail again', () => {
  test.each([
    ['a refused push', pushed('failed to push ghcr.io/o/a:1: denied: permission_denied: write_package')],
    ['403', pushed('failed to push ghcr.io/o/a:1: unexpected status from HEAD request to https://ghcr.io/v2/o/a/blobs/sha256:aa: 403 Forbidden')],
    ['401', metadata('failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Ao%2Fa%3Apull&service=ghcr.io: 401 Unauthorized')],
    ['an image that is not there', metadata('docker.io/library/node:20: not found')],
    ['404 with a number in its name', metadata('unexpected status from HEAD request to https://ghcr.io/v2/o/503/manifests/503: 404 Not Found')],
    ['a name that does not exist', metadata('failed to do request: Head "https://nope.invalid/v2/a/manifests/1": dial tcp: lookup nope.invalid on 127.0.0.53:53: no such host')],
    ['a certificate', metadata('failed to do request: Head "https://r.example/v2/a/manifests/1": tls: failed to verify certificate: x509: certificate signed by unknown authority')],
    ['plain HTTP', metadata('failed to do request: Head "https://r.example/v2/a/manifests/1": http: server gave HTTP response to HTTPS client')],
    ['an unknown error', pushed('failed to push ghcr.io/o/a:1: unknown: manifest is odd')],
    ['a server of an ADD', stage('ADD https://example.com/x /', 'failed to load cache key: invalid response status 503')],
    ['a file', stage('COPY nope /', 'failed to calculate checksum of ref x::y: "/nope": not found')],
    ['an output on a full disk', { kind: 'export', text: 'exporting to client directory', error: 'error from receiver: EOF' } as const],
    ['a layer registry that is gone', stage('RUN x', `failed to copy: httpReadSeeker: failed open: failed to do request: Get "http://127.0.0.1:4009/v2/sb${'a'.repeat(32)}/cache/blobs/sha256:aa": dial tcp 127.0.0.1:4009: connect: connection refused`)],
    ['nothing said', stage('RUN x', '')],
  ])('%s', (_, step) => {
    expect(judge(step)).toEqual({ kind: 'lasting' })
  }) // prettier-ignore
})

test('a command is never run again, whatever it was and said', () => {
  const command =
    'echo "unexpected status from GET request to https://ghcr.io/v2/x: 503 Service Unavailable"; echo snapshot x does not exist: not found; exit 3'
  for (const end of ['exit code: 3', 'exit code: 137', 'signal: killed']) {
    const error = `process "/bin/sh -c ${command}" did not complete successfully: ${end}`
    expect(judge(stage(`RUN ${command}`, error))).toEqual({ kind: 'command' })
  }
})
