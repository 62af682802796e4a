import { describe, expect, test } from '@jest/globals'
import { explain, explainExit } from '../../src/build/failure-kinds.ts'
import { failureProblems, onlyPushesFailed, type FailureFacts } from '../../src/build/failure.ts'
import type { Step } from '../../src/build/progress.ts'
import { FAILING_RUN, readFixture, replay } from './fixtures.ts'

function facts(more: Partial<FailureFacts>): FailureFacts {
  return {
    steps: [],
    text: [],
    file: 'app/Dockerfile',
    mask: (text) => text,
    targets: [{ id: 'a', name: 'a' }],
    ...more,
  }
}

describe('problems of a failed build', () => {
  test('are the root causes of a recorded one, at their lines', async () => {
    const targets = ['a', 'base', 'slow']
    const { progress, text } = replay(await readFixture('failing-run.rawjson'), { targets, stages: FAILING_RUN })
    const problems = failureProblems(
      facts({ steps: progress.steps(), text, targets: targets.map((name) => ({ id: name, name })) }),
    )
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatchObject({ file: 'app/Dockerfile', line: 2, endLine: 4 })
    expect(problems[0]?.message).toMatch(
      /^`RUN echo \d+ one && sleep 1; echo last words >&2; exit 3` failed with exit code 3\. Needed by targets `(?:a`, `base|base`, `a)`\.$/,
    )
    expect(problems[0]?.lastLines).toEqual([expect.stringMatching(/^\d+ one$/), 'last words'])
  })

  test('come from buildx’s own words where no step failed', () => {
    const text = [
      'Dockerfile:3',
      '--------------------',
      '   2 |     FROM x',
      '   3 | >>> COPY --chown=a \\',
      '   4 | >>>   b c',
      '--------------------',
      'ERROR: target a_b: failed to solve: failed to load LLB: something odd',
    ]
    const targets = [
      { id: 'a_b', name: 'a.b' },
      { id: 'c', name: 'c' },
    ]
    expect(failureProblems(facts({ text, targets }))).toEqual([
      { message: 'Target `a.b`: something odd.', file: 'app/Dockerfile', line: 3, endLine: 4 },
    ])
    const placeOf: FailureFacts['placeOf'] = (target) =>
      target === 'a.b' ? { file: 'compose.yaml', above: 20 } : undefined
    const [inline] = failureProblems(facts({ text, targets, placeOf }))
    expect(inline).toMatchObject({ file: 'compose.yaml', line: 23, endLine: 24 })
  })

  test('never are none, and never hold a secret', () => {
    expect(failureProblems(facts({}))).toEqual([{ message: 'docker buildx bake failed without saying why.' }])
    const text = ['ERROR: failed to solve: token s3cret is bad']
    expect(failureProblems(facts({ text, mask: (said) => said.replaceAll('s3cret', '***') }))).toEqual([
      { message: 'token *** is bad.' },
    ])
  })

  test('are one, without blame, when the run was cancelled', () => {
    expect(failureProblems(facts({ text: ['ERROR: target a: failed to solve: Canceled: context canceled'] }))).toEqual([
      { message: 'The build was cancelled.' },
    ])
  })

  test('a failed push to loopback alone is told from others', () => {
    const own =
      'ERROR: failed to solve: failed to push 127.0.0.1:4000/s/a: dial tcp 127.0.0.1:4000: connect: connection refused'
    expect(onlyPushesFailed({ steps: [], text: [own] }, '127.0.0.1:4000')).toBe(true)
    const read = 'ERROR: failed to do request: Head "http://127.0.0.1:4000/v2/s/cache/manifests/t": connection refused'
    expect(onlyPushesFailed({ steps: [], text: [read, own] }, '127.0.0.1:4000')).toBe(true)
    expect(onlyPushesFailed({ steps: [], text: [read] }, '127.0.0.1:4000')).toBe(false)
    expect(onlyPushesFailed({ steps: [], text: [own.replaceAll('4000', '40001')] }, '127.0.0.1:4000')).toBe(false)
    expect(onlyPushesFailed({ steps: [], text: [own, 'ERROR: failed to solve: x'] }, '127.0.0.1:4000')).toBe(false)
    expect(onlyPushesFailed({ steps: [], text: [] }, '127.0.0.1:4000')).toBe(false)
  })
})

describe('what errors mean', () => {
  test.each([
    ['write /x: no space left on device', /disk is full/, /system prune/],
    [
      'failed to get build context src: stat /w/gone: no such file or directory',
      /`\/w\/gone` of the named context `src` does not exist any more/,
      /removes it/,
    ],
    // Seen on the test engine (containerd 2.1.9).
    [
      'failed to mount /data/tmp/buildkit-mount88: [{Type:overlay Source:overlay Target: Options:[lowerdir=/data/snapshots/2548/fs:/data/snapshots/4/fs]}]: mount source: "overlay", target: "/data/tmp/buildkit-mount88", fstype: overlay, flags: 0, data: "lowerdir=/data/snapshots/2548/fs", err: no such file or directory',
      /gone from its disk/,
      /^Run `docker buildx prune.*docker image rm/,
    ],
    [
      'docker.io/library/x:1: failed to do request: Head "https://registry-1.docker.io/v2/x": 429 Too Many Requests - toomanyrequests: You have reached your unauthenticated pull rate limit',
      /`registry-1\.docker\.io` refused.*rate limit/,
      /login-action.*external-images/,
    ],
    [
      'failed to push ghcr.io/o/a:1: failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://ghcr.io/token: 403 Forbidden',
      /did not let `ghcr\.io\/o\/a:1` be pushed/,
      /packages: write/,
    ],
    [
      'failed to push ghcr.io/o/a:1: denied: permission_denied: write_package',
      /did not let `ghcr\.io\/o\/a:1` be pushed/,
      /login-action/,
    ],
    [
      'failed to push localhost:5000/a: failed to do request: Head "http://localhost:5000/v2/": connection refused',
      /`localhost:5000\/a` could not be pushed/,
      /reached/,
    ],
    [
      'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
      /did not let an image be pulled/,
      /packages: read/,
    ],
    [
      'ghcr.io/o/private:1: failed to authorize: failed to fetch anonymous token: 401 Unauthorized',
      /did not let/,
      /login-action/,
    ],
    ['docker.io/library/nope:1: not found', /`docker\.io\/library\/nope:1` does not exist/, /tag/],
    ['failed to calculate checksum of ref a::b: "/a b/c": not found', /^`\/a b\/c` was not found/, /\.dockerignore/],
    [
      'failed to do request: Head "https://r.example/v2/": http: server gave HTTP response to HTTPS client',
      /`r\.example` speaks plain HTTP/,
      /TLS/,
    ],
    [
      'failed to do request: Head "https://nosuch.invalid/v2/x": dial tcp: lookup nosuch.invalid on 1.1.1.1:53: no such host',
      /`nosuch\.invalid` cannot be reached/,
      /network/,
    ],
    // Numbers in a name are no answer of a registry.
    [
      'failed to do request: Head "https://r.example/v2/x401/manifests/429": dial tcp 192.0.2.1:443: connect: connection refused',
      /`r\.example` cannot be reached: .*connection refused/,
      /network/,
    ],
    [
      'failed to push r.example/x401:403: failed to do request: Head "https://r.example/v2/x401/blobs/sha256:429": connection refused',
      /`r\.example\/x401:403` could not be pushed/,
      /reached/,
    ],
    ['network.host is not allowed', /entitlement `network\.host`/, /`allow`/],
    [
      'granting entitlement security.insecure is not allowed by build daemon configuration',
      /entitlement `security\.insecure`/,
      /buildkitd-flags/,
    ],
    ['secret tok: not found', /secret `tok` was not given/, /`secrets`/],
    [
      'failed to stat /w/tok.txt: stat /w/tok.txt: no such file or directory',
      /`\/w\/tok\.txt` does not exist/,
      /secret-files/,
    ],
    ['unset ssh forward key default', /SSH key or agent \(`default`\)/, /ssh-agent/],
    [
      'OCI exporter is not supported for the docker driver. Switch to a different driver',
      /builder cannot do this/,
      /setup-buildx-action/,
    ],
    ['no builder "x" found', /builder `x` is gone/, /setup-buildx-action/],
    ['rpc error: code = Unavailable desc = closing transport due to: connection error', /builder went away/, /memory/],
    ['exec /bin/sh: exec format error', /another platform/, /setup-qemu-action/],
    ['invalid reference format: repository name (UPPER) must be lowercase', /UPPER/, /`tags`/],
    ['tag is needed when pushing to registry', /no tag/, /`tags`/],
  ])('%s', (error, message, mend) => {
    const meaning = explain({ error, tail: [] })
    expect(meaning.message).toMatch(message)
    expect(meaning.mend).toMatch(mend)
  })

  test('an unknown one is shown as it is', () => {
    expect(explain({ error: 'odd', tail: [] })).toEqual({ message: 'odd.' })
  })

  test('exit codes that tell something', () => {
    expect(explainExit(137, [])).toContain('memory')
    expect(explainExit(127, [])).toContain('not found')
    expect(explainExit(1, ['exec /bin/sh: exec format error'])).toContain('qemu')
    expect(explainExit(1, ['cp: No space left on device'])).toContain('disk')
    expect(explainExit(1, [])).toBeUndefined()
  })
})

test('a push that fails is the cause, not the measured copy that ends with it', () => {
  const push = (reference: string): Step => ({
    ...{ id: reference, kind: 'export', text: 'exporting to image', status: 'failed', targets: ['a'] },
    ...{ platform: undefined, stage: undefined, stageName: undefined, place: undefined, total: undefined },
    ...{ source: undefined, startedMs: undefined, durationMs: 0, tail: [], inputs: [] },
    error: `failed to push ${reference}: unexpected status from POST request: 401 Unauthorized`,
  })
  const steps = [push('127.0.0.1:4000/secret/target0:latest'), push('ghcr.io/org/app:1')]
  const problems = failureProblems(facts({ steps, measureHost: '127.0.0.1:4000' }))
  expect(problems).toHaveLength(1)
  expect(problems[0]?.message).toContain('ghcr.io/org/app:1')
})
