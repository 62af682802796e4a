/** What a user reads when a build fails, each provoked on the engine through the bundled action. */
import { afterEach, describe, expect, test } from '@jest/globals'
import { startRegistry } from '../support/registry.ts'
import { docker, rigRegistry } from '../support/engine.ts'
import { attempt } from '../support/refusal.ts'
import { runProcess } from '../../src/process.ts'

const BASE = 'FROM alpine:3.22 AS base\n'
const FILES = { Dockerfile: 'FROM scratch\nCOPY x /\n', x: '1' }
/** Makes a step new to the builder's cache. */
const unique = (): string => `${process.pid}-${performance.now()}`

async function processes(pattern: RegExp): Promise<readonly string[]> {
  const { stdout } = await runProcess('ps', ['ax', '-o', 'args'])
  return stdout.split('\n').filter((line) => pattern.test(line))
}

afterEach(async () => {
  expect(await docker('buildx', 'ls', '--format', '{{.Name}}')).not.toMatch(/stage-build/)
})

describe('a failing RUN', () => {
  test('is an annotation on its lines, with its exit code and the last lines that it printed', async () => {
    const id = unique()
    const Dockerfile = `${BASE}RUN echo ${id} && \\\n  for i in $(seq 30); do echo line $i; done && \\\n  echo '::error::forged' && exit 3\n`
    const { code, errors, annotations, stdout, summary } = await attempt({ files: { Dockerfile } })
    expect(code).toBe(1)
    expect(annotations.find(({ level }) => level === 'error')).toMatchObject({
      file: 'Dockerfile',
      line: 2,
      endLine: 4,
    })
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(
      /^Dockerfile:2: `RUN echo .*` failed with exit code 3\.\nThe last lines that it printed:\n/,
    )
    expect(errors[0]).toMatch(/\n {2}line 29\n {2}line 30\n {2}::error::forged$/)
    expect(stdout).toMatch(/^\[.*2\/2\] ::error::forged$/m)
    expect(summary).toContain('line 30')
  })

  test('in two targets at once is an annotation for each that failed by itself; a target that was stopped for them is none', async () => {
    const id = unique()
    const Dockerfile = [
      'FROM alpine:3.22 AS base',
      'FROM base AS one', `RUN echo ${id}; sleep 1; false`,
      'FROM base AS two', `RUN echo ${id}; sleep 1; exit 4`,
      'FROM base AS three', `RUN echo ${id}; sleep 60`, '',
    ].join('\n') // prettier-ignore
    const { errors } = await attempt({ files: { Dockerfile }, inputs: { targets: 'one,two,three' } })
    const told = errors.map((error) => error.replace(/`RUN.*?`/, 'RUN').split('\n')[0]).sort()
    // BuildKit stops the second when the first fails; both fail only when they fail at the same moment.
    expect(told.length).toBeGreaterThan(0)
    for (const line of told) {
      expect([
        'Dockerfile:3: RUN failed with exit code 1. Needed by target `one`.',
        'Dockerfile:5: RUN failed with exit code 4. Needed by target `two`.',
      ]).toContain(line)
    }
  })

  test('never shows a secret that it prints', async () => {
    const Dockerfile = `${BASE}RUN --mount=type=secret,id=s cat /run/secrets/s; echo ${unique()}; exit 9\n`
    const { errors, stdout, summary } = await attempt({
      files: { Dockerfile },
      inputs: { secrets: '"s=hush-hush-1\nsecond line 2"' },
    })
    expect(errors[0]).toMatch(/exit code 9\.\nThe last lines that it printed:\n {2}\*\*\*\n {2}\*\*\*/)
    const shown = stdout.split('\n').filter((line) => !line.startsWith('::add-mask::'))
    for (const text of [...shown, summary]) expect(text).not.toMatch(/hush-hush|second line/)
  })

  test('tells what a code or a last line means', async () => {
    const missing = await attempt({ files: { Dockerfile: `${BASE}RUN npmm install ${unique()}\n` } })
    expect(missing.errors[0]).toContain('exit code 127. The command was not found in the image')
    const shell = await attempt({ files: { Dockerfile: `FROM scratch\nRUN ls ${unique()}\n` } })
    expect(shell.errors[0]).toContain('The image has no shell (`FROM scratch`?)')
  })
})

describe('what is missing', () => {
  test.each<[string, string, RegExp]>([
    ['a file of another stage', `${BASE}FROM scratch\nCOPY --from=base /nope /x\n`, /^Dockerfile:3: `\/nope` was not found\. Check the path/],
    ['a secret', `${BASE}RUN --mount=type=secret,id=abc,required=true true\n`, /^Dockerfile:2: The secret `abc` was not given\. Add `abc=…` to the input `secrets`\./],
    ['an image', `FROM HOST/library/nothere:1\n`, /^Dockerfile:1: The image `HOST\/library\/nothere:1` does not exist in its registry\. Check its name and tag/],
    ['a registry to pull from', `FROM 127.0.0.1:1/x/y:1\n`, /^Dockerfile:1: `127\.0\.0\.1:1` cannot be reached: .*connection refused\. .*external-images/],
  ])('%s', async (_name, Dockerfile, message) => {
    const withHost = (text: string): string => text.replaceAll('HOST', rigRegistry())
    const { code, errors, warnings } = await attempt({
      files: { Dockerfile: withHost(Dockerfile) },
      inputs: { retries: '0' },
    })
    expect({ code, warnings }).toEqual({ code: 1, warnings: [] })
    expect(errors).toEqual([expect.stringMatching(new RegExp(withHost(message.source)))])
  }) // prettier-ignore

  test('a builder', async () => {
    const { errors } = await attempt({ files: FILES, inputs: { builder: 'nope' } })
    expect(errors).toEqual([
      'Input builder: `builder`: there is no builder named `nope`. Create it with docker/setup-buildx-action (its `name` output), or remove `builder`.',
    ])
  })
})

describe('a push', () => {
  test('to a registry that is not there', async () => {
    const { errors } = await attempt({
      files: FILES,
      inputs: { push: 'true', tags: '127.0.0.1:1/a/b:1', retries: '0' },
    })
    expect(errors).toEqual([
      'stage-build: `127.0.0.1:1/a/b:1` could not be pushed: dial tcp 127.0.0.1:1: connect: connection refused. Check the registry’s name and that it can be reached from this runner.',
    ])
  })

  test('to a registry that wants a login', async () => {
    await using registry = await startRegistry({ auth: true })
    const { errors } = await attempt({ files: FILES, inputs: { push: 'true', tags: `${registry.host}/a/b:1` } })
    expect(errors).toEqual([
      `stage-build: The registry did not let \`${registry.host}/a/b:1\` be pushed (not logged in, or no permission). Log in before this step (docker/login-action); for ghcr.io give the job \`permissions: packages: write\` to push, \`packages: read\` to pull.`,
    ])
    const pull = await attempt({ files: { Dockerfile: `FROM ${registry.host}/other:1\n` } })
    expect(pull.errors).toEqual([
      expect.stringMatching(/^Dockerfile:1: .*(?:private|not logged in).*docker\/login-action/),
    ])
  })
})

describe('a cancelled run', () => {
  test('says so once, ends at once, and stops docker and the RUN', async () => {
    const id = `${process.pid}7`
    const cancel = new AbortController()
    let cancelled = 0
    const { code, errors, warnings } = await attempt({
      files: { Dockerfile: `${BASE}RUN echo begun; sleep ${id}\n` },
      signal: cancel.signal,
      onLog: (text) => {
        if (!/^\[.*\] begun/m.test(text) || cancelled > 0) return
        cancelled = performance.now()
        cancel.abort()
      },
    })
    expect(performance.now() - cancelled).toBeLessThan(5_000)
    expect(code).toBe(1)
    expect([...errors, ...warnings]).toEqual(['stage-build: The build was cancelled.'])
    for (let wait = 0; wait < 50 && (await processes(new RegExp(`sleep ${id}`))).length > 0; wait++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(await processes(new RegExp(`sleep ${id}`))).toEqual([])
  })
})
