/** What a user reads when a step cannot even begin: the bundled action, no engine. */
import { describe, expect, test } from '@jest/globals'
import { attempt, NO_ENGINE, type Attempt } from '../support/refusal.ts'

const DOCKERFILE = 'FROM scratch AS base\nCOPY x /x\nFROM base AS builder\nFROM base AS final\n'
const FILES = { Dockerfile: DOCKERFILE, x: '1' }

async function refused(options: Attempt): Promise<readonly string[]> {
  const { code, errors } = await attempt({ ...options, env: { ...NO_ENGINE, ...options.env } })
  expect(code).toBe(1)
  return errors
}

describe('a Dockerfile’s mistakes are annotations on their lines before any engine is asked', () => {
  test('those of the user’s document, all at once, each with its mend', async () => {
    const Dockerfile = 'FROM golang: 1.7.3 AS b\nWORKDIR: /go\nFROM x AS\nCOPPY a b\n'
    expect(await refused({ files: { Dockerfile } })).toEqual([
      'Dockerfile:1: FROM requires either one or three arguments. Remove the blank after the colon: `FROM golang:1.7.3`.',
      'Dockerfile:2: unknown instruction: WORKDIR: (did you mean WORKDIR?). Remove the colon: `WORKDIR`.',
      'Dockerfile:3: FROM requires either one or three arguments. Give the stage a name after AS, or remove AS.',
      expect.stringMatching(/^Dockerfile:4: unknown instruction: COPPY \(did you mean COPY\?\)\. Check the spelling/),
    ])
  })

  test('files that COPY names and the context does not have, or that .dockerignore excludes', async () => {
    const Dockerfile = 'FROM scratch\nCOPY a.txt secret.env /\nCOPY d/\\\n e/nothing /x\n'
    const files = {
      'app/Dockerfile': Dockerfile,
      'app/.dockerignore': '# no secrets\n*.env\n',
      'app/secret.env': '1',
      'app/a.tx': '',
    }
    expect(await refused({ files, inputs: { context: 'app' } })).toEqual([
      'app/Dockerfile:2: /a.txt is not in the build context: there is no such file. Did you mean a.tx?',
      'app/Dockerfile:2: /secret.env is not in the build context: app/.dockerignore line 2 ("*.env") excludes it. Add the line "!secret.env" at the end of app/.dockerignore, or remove that pattern.',
      expect.stringMatching(/^app\/Dockerfile:3: \/d is not in the build context/),
      expect.stringMatching(/^app\/Dockerfile:3: \/e\/nothing is not in the build context.*check the path/),
    ])
  })

  test('a broken pattern in .dockerignore, at its line there', async () => {
    expect(await refused({ files: { ...FILES, '.dockerignore': 'a\n[x\n' } })).toEqual([
      expect.stringMatching(/^\.dockerignore:2: "\[x" is not a valid pattern.*Close every "\["/),
    ])
  })
})

describe('warnings', () => {
  test('that are errors by `# check=error=true` are told with the error', async () => {
    const Dockerfile = '# check=error=true\nFROM scratch as x\nFROM scratch AS y\n'
    const { code, errors, warnings } = await attempt({ files: { Dockerfile }, env: NO_ENGINE })
    expect({ code, warnings }).toEqual({
      code: 1,
      warnings: [expect.stringMatching(/^Dockerfile:2: FromAsCasing: /)],
    })
    expect(errors).toEqual([
      'Dockerfile:2: lint violation found for rules: FromAsCasing. Mend what the warnings say, or remove `error=true` from `# check=`.',
    ])
  })

  test('that GitHub would not show have their lines in the log', async () => {
    const Dockerfile = Array.from({ length: 12 }, (_, index) => `FROM scratch as a${index}\n`).join('')
    const { stdout, warnings } = await attempt({ files: { Dockerfile }, inputs: { mode: 'plan' }, env: NO_ENGINE })
    expect(warnings.at(-1)).toBe("+3 more: 3 more warnings are in the step's log.")
    const lines = stdout.split('\n').flatMap((line) => /^warning: (\S+) FromAsCasing: /.exec(line)?.[1] ?? [])
    expect(lines).toEqual(['Dockerfile:10:', 'Dockerfile:11:', 'Dockerfile:12:'])
  })
})

describe('inputs', () => {
  test('all bad ones are told at once; what GitHub would not show is in the log; a secret is not', async () => {
    const inputs = {
      mode: 'bild', push: 'yes', targets: 'all,x', tags: 'Foo:Bar\n=x', 'external-images': 'nginx', secrets: 'hush-hush',
      'secret-envs': 'a=NOT_SET', compression: 'zip', labels: '=lab', call: 'check', context: 'https://github.com/a/b.git',
      platforms: 'linux/amd46', outputs: 'type=tar', network: 'foo', 'shm-size': 'lots', ulimit: 'nofile', 'add-hosts': 'x',
    } // prettier-ignore
    const { code, errors, stdout } = await attempt({ files: FILES, inputs, env: NO_ENGINE })
    expect(code).toBe(1)
    expect(errors).toHaveLength(10)
    expect(errors.at(-1)).toMatch(/^\+(\d+) more: \1 more errors are in the step's log\.$/)
    const all = stdout.replaceAll('%0A', '\n')
    for (const text of [
      '`mode`: `bild` is not one of `build`, `plan`, `report`, `merge`, `cleanup`. Did you mean `build`?',
      '`push`: `yes` is neither `true` nor `false`. Write `true` or `false`.',
      '`targets`: `all` stands beside other targets.',
      '`tags`: `Foo:Bar` is not an image reference. Write `registry/name:tag`, in lower case.',
      '`tags`: `=x` lacks the target before `=`.',
      '`external-images`: `nginx` is not of the form `NAME=REF`.',
      '`secrets`: a line is not of the form `ID=VALUE` (not shown here).',
      '`secret-envs`: the variable `NOT_SET` is not set.',
      '`compression`: `zip` is not one of `gzip`, `zstd`, `estargz`, `uncompressed`.',
      '`labels`: `=lab` is not of the form `KEY=VALUE`.',
      '`call`: `check` is not supported',
      '`context`: `https://github.com/a/b.git` is a Git or HTTP address; stage-build builds what is checked out. Add `actions/checkout`',
      '`platforms`: `linux/amd46` is no platform: there is no `amd46`. Did you mean `linux/amd64`?',
      '`outputs`: `type=tar` does not say where to write. Add `dest=PATH`',
      '`network`: `foo` is not one of `default`, `none`, `host`.',
      '`shm-size`: `lots` is not a size.',
      '`ulimit`: `nofile` is not of the form `TYPE=SOFT[:HARD]`.',
      '`add-hosts`: `x` is not of the form `HOST:IP`.',
    ])
      expect(all).toContain(text)
    expect(stdout).not.toContain('hush')
  })

  test.each<[string, Record<string, string>, string]>([
    ['a misspelt target', { targets: 'bilder' }, 'Input targets: `targets`: Dockerfile has no stage `bilder`. Did you mean `builder`?'],
    ['a numbered target', { targets: '1' }, 'Input targets: `targets`: Dockerfile has no stage `1`. A target is named, not numbered: write `targets: builder`.'],
    ['a tag for none of several targets', { targets: 'base,final', tags: 'r/x:1' }, 'Input tags: `tags`: `r/x:1` names no target, and there are several. Write `TARGET=r/x:1`, or put `{target}` into it.'],
    ['a tag for a target that is not built', { targets: 'final', tags: 'base=r/x:1' }, 'Input tags: `tags`: `base=r/x:1` is for a target that is not built. The targets are `final`.'],
    ['a push without a tag', { targets: 'base,final', tags: 'base=r/x:1', push: 'true' }, 'Input push: `push`: the target `final` has no tag, so there is nowhere to push it. Give it one with `tags`, such as `final=ghcr.io/org/app:1` or `ghcr.io/org/{target}:1` for all, or set `push: false`.'],
    ['a misspelt file', { file: 'Dokerfile' }, 'Input file: There is no `Dokerfile`. Did you mean `file: Dockerfile`?'],
    ['a secret file that is not there', { 'secret-files': 'a=no.txt' }, 'Input secret-files: `secret-files`: `no.txt` cannot be read: there is no such file. Give a path relative to the root of the checkout, and check that an earlier step makes the file.'],
    ['a report without a plan', { mode: 'report' }, 'Input plan: `mode: report` needs `plan`, and it is empty. Give the `plan` output of the job that planned, through that job’s `outputs`; GitHub drops an output that holds a masked value, such as a secret in a tag.'],
  ])('%s', async (_name, inputs, message) => {
    expect(await refused({ files: FILES, inputs })).toEqual([message])
  }) // prettier-ignore

  test('named contexts that are not there, in a plan, too, with what else is wrong', async () => {
    const files = { ...FILES, Dockerfile: 'FROM scratch\nCOPY --from=src x /\n', 'sub/Dockerfile': '' }
    const inputs = { mode: 'plan', file: 'Dockerfil', 'build-contexts': 'src=./sub/dir\nunused=x' }
    expect(await refused({ files, inputs })).toEqual([
      'Input file: There is no `Dockerfil`. Did you mean `file: Dockerfile`?',
      expect.stringMatching(
        /^Input build-contexts: `build-contexts`: `src=\.\/sub\/dir`: there is no such directory\. Give a directory .*`submodules: true` of `actions\/checkout`/,
      ),
      expect.stringMatching(/^Input build-contexts: `build-contexts`: `unused=x`: it is a file, not a directory\./),
    ])
  })

  test('nothing checked out', async () => {
    expect(await refused({})).toEqual([
      'Input context: There is no `Dockerfile`: nothing is checked out. Add `actions/checkout` before this step.',
    ])
  })
})

describe('hostile text', () => {
  test('never becomes a command to the runner', async () => {
    const Dockerfile = 'FROM scratch AS a\nCOPY x%0A::error::boo,y\r::error::cr ##[error]z /x\nFROM ::warning::w\n'
    const files = { Dockerfile, '::error::file': 'FROM scratch\nCOPY x /\n', x: '1' }
    const bad = await attempt({ files, env: NO_ENGINE, inputs: { targets: '"a\n::set-output name=digest::b"' } })
    expect(bad.outputs).toEqual({})
    const planned = await attempt({ files, env: NO_ENGINE, inputs: { file: '::error::file', mode: 'plan' } })
    expect(planned.code).toBe(0)
    expect(planned.errors).toEqual([])
    expect(planned.stdout).toContain('error::file: 1 stage')
    for (const { stdout } of [bad, planned]) {
      for (const line of stdout.split(/[\r\n]/)) {
        expect(line).not.toMatch(/^\s*::(?!(?:error title=|warning title=|debug::|add-mask::))/)
        if (!line.startsWith('::')) expect(line).not.toContain('##[')
      }
    }
  })
})

describe('docker', () => {
  test('that is not there', async () => {
    expect(await refused({ files: FILES, env: { PATH: '/nonexistent' } })).toEqual([
      expect.stringMatching(/The `docker` command was not found\. Use a runner with Docker/),
    ])
  })

  test('is not needed by mode: plan, nor a registry that answers', async () => {
    const files = { Dockerfile: 'FROM 127.0.0.1:1/some/image AS a\nCOPY x /\n', x: '1' }
    const env = { ...NO_ENGINE, PATH: '/nonexistent' }
    const { code, errors, warnings, outputs, summary } = await attempt({ files, inputs: { mode: 'plan' }, env })
    expect({ code, errors }).toEqual({ code: 0, errors: [] })
    expect(warnings).toEqual([
      expect.stringMatching(
        /127\.0\.0\.1:1 could not be reached for 127\.0\.0\.1:1\/some\/image:latest: ECONNREFUSED\./,
      ),
    ])
    const plan = JSON.parse(outputs['plan'] ?? '') as { stages: readonly { from: unknown }[] }
    expect(plan.stages[0]?.from).toEqual({ image: '127.0.0.1:1/some/image:latest', digest: null })
    expect(summary).toContain('some/image')
  })

  const PINNED = `127.0.0.1:1/a/b@sha256:${'a'.repeat(64)}`
  const UNREACHED = 'stage-build: 127.0.0.1:1 could not be reached for'

  test.each<[string, { readonly src?: string; readonly text: string; readonly warned?: string; readonly why: string }]>([
    ['a named context', { src: '127.0.0.1:1/a/b:1', text: 'FROM src\nCOPY --from=src x /\n', warned: '127.0.0.1:1/a/b:1', why: 'the content of the build context src is not known beforehand' }],
    ['one with a digest, which others are based on', { src: PINNED, text: 'FROM src\nCOPY x /\n', warned: PINNED, why: 'the content of the build context src is not known beforehand' }],
    ['one with a digest', { src: PINNED, text: 'FROM scratch\nCOPY --from=src x /\n', why: 'there is no cache to keep records of builds in' }],
    ['one that only another stage is based on', { src: '127.0.0.1:1/a/b:1', text: 'FROM src AS other\nFROM scratch\nCOPY x /\n', why: 'there is no cache to keep records of builds in' }],
    ['the empty one', { src: 'scratch', text: 'FROM src\nCOPY x /\n', why: 'there is no cache to keep records of builds in' }],
    ['an image with a digest', { text: `FROM ${PINNED}\nCOPY x /\n`, warned: PINNED, why: `what ${PINNED} sets is not known` }],
  ])('a registry that does not answer is a warning where it is needed: %s', async (_name, { src, text, warned, why }) => {
    const inputs = { mode: 'plan', cache: 'off', 'build-contexts': src === undefined ? '' : `src=docker-image://${src}` }
    const files = { Dockerfile: text, x: '1' }
    const { errors, warnings, outputs, stdout } = await attempt({ files, inputs, env: NO_ENGINE })
    expect(errors).toEqual([])
    expect(warnings).toEqual(
      warned === undefined ? [] : [expect.stringContaining(`${UNREACHED} ${warned}: ECONNREFUSED.`)],
    )
    expect(stdout).toContain(`  default: changed (${why}); `)
    if (src === undefined) expect(outputs['plan']).toContain(`"digest":"sha256:${'a'.repeat(64)}"`)
  }) // prettier-ignore
})
