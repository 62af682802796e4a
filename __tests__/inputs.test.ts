import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { UserError } from '../src/errors.ts'
import { readInputs, type InputName, type Inputs, type ReadInputs } from '../src/inputs.ts'

type Given = Readonly<Partial<Record<InputName, string>>>

function read(given: Given, env: NodeJS.ProcessEnv = {}): ReadInputs {
  return readInputs((name) => given[name] ?? '', env)
}

function inputsOf(given: Given, env?: NodeJS.ProcessEnv): Inputs {
  return read(given, env).inputs
}

/** Each problem as `input: message mend`. */
function problemsOf(given: Given, env?: NodeJS.ProcessEnv): readonly string[] {
  try {
    read(given, env)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return error.problems.map(({ input = '', message, mend = '' }) => `${input}: ${message} ${mend}`)
  }
  return []
}

describe('lists are read as docker/build-push-action reads them', () => {
  test('blank lines and blanks around items do not count', () => {
    expect(inputsOf({ platforms: '\n linux/amd64 , linux/arm64\n\n linux/386\r\n' }).platforms).toEqual([
      'linux/amd64',
      'linux/arm64',
      'linux/386',
    ])
  })

  test('commas part items where its documentation says "List/CSV", and are plain text where it says "List"', () => {
    const { labels, addHosts, annotations } = inputsOf({
      labels: 'a=1,2\nb=x=y\nc= as it is\nalone',
      'add-hosts': 'a:1.1.1.1,b:2.2.2.2',
      annotations: 'index,manifest:k=v, w',
    })
    expect(labels).toEqual([
      { key: 'a', value: '1,2' },
      { key: 'b', value: 'x=y' },
      { key: 'c', value: ' as it is' },
      { key: 'alone', value: '' },
    ])
    expect(addHosts).toEqual(['a:1.1.1.1', 'b:2.2.2.2'])
    expect(annotations).toEqual(['index,manifest:k=v, w'])
  })

  test('a quoted item holds commas, line breaks and doubled quotes; quotes within an item are plain', () => {
    const { buildArgs } = inputsOf({ 'build-args': '"A=1,""2"""\n"B=x\ny"\nC=say "hi"\nD={"k": "v"}' })
    expect(buildArgs).toEqual({ A: '1,"2"', B: 'x\ny', C: 'say "hi"', D: '{"k": "v"}' })
  })

  test('quotes in `outputs` belong to buildx', () => {
    const line = 'type=image,"name=a:1,b:1",push=true'
    expect(inputsOf({ outputs: line }).outputs).toEqual([line])
  })

  test.each(['labels', 'targets', 'tags', 'secrets', 'external-images'] as const)(
    'an open quote in `%s` is one problem that says so',
    (name) => {
      const problems = problemsOf({ [name]: '"hush=x' })
      expect(problems).toEqual([expect.stringMatching(`^${name}: \`${name}\` cannot be read as a list: .*quote`)])
      expect(problems.join()).not.toContain('hush')
    },
  )
})

describe('build arguments', () => {
  test('without a value come from the environment, or are left out', () => {
    expect(inputsOf({ 'build-args': 'A\nB\nC=' }, { A: 'of env' }).buildArgs).toEqual({ A: 'of env', C: '' })
  })
})

describe('tags', () => {
  test('belong to the target before `=`, up to the end of the line; bare ones to all', () => {
    expect(inputsOf({ tags: 'prod=r/a:1, r/b:1\nr/{target}:2,debug=r/c:1\nr/d' }).tags).toEqual([
      { target: 'prod', ref: 'r/a:1' },
      { target: 'prod', ref: 'r/b:1' },
      { target: undefined, ref: 'r/{target}:2' },
      { target: 'debug', ref: 'r/c:1' },
      { target: undefined, ref: 'r/d' },
    ])
  })

  test('that are none, or that several targets would share, are told with the line to write', () => {
    expect(problemsOf({ targets: 'a,b', tags: 'r/x:1\na=R/Upper:1\n=r/y\nb=' })).toEqual([
      'tags: `tags`: `R/Upper:1` is not an image reference. Write `registry/name:tag`, in lower case.',
      'tags: `tags`: `=r/y` lacks the target before `=`. Write `TARGET=REF` or `REF`.',
      'tags: `tags`: `b=` lacks the reference behind `=`. Write `TARGET=REF` or `REF`.',
      'tags: `tags`: `r/x:1` names no target, and there are several. Write `TARGET=r/x:1`, or put `{target}` into it.',
    ])
  })
})

describe('targets', () => {
  test.each<[string, Given, Inputs['targets']]>([
    ['none: the last stage', {}, undefined],
    ['all', { targets: 'all' }, 'all'],
    ['each once', { targets: 'a\nb,a' }, ['a', 'b']],
    ['by the other action’s name', { target: 'a' }, ['a']],
  ])('%s', (_name, given, expected) => {
    expect(inputsOf(given).targets).toEqual(expected)
  })

  test('by both names at once, or `all` beside others, are problems', () => {
    expect(problemsOf({ target: 'a', targets: 'all,b' })).toEqual([
      expect.stringMatching(/^target: `target` \(`a`\) and `targets` are both given\. Keep `targets`/),
      expect.stringMatching(/^targets: .*`all` stands beside other targets\. Write `all` alone/),
    ])
  })
})

describe('external images', () => {
  test('are normalised; a reference, docker-image:// and oci-layout:// are sources', () => {
    const lines = 'nginx=r.example/n:1\nalpine:3=docker-image://busybox\nlib/x=oci-layout://out/dir:tag'
    expect(inputsOf({ 'external-images': lines }).externalImages).toEqual([
      { name: 'docker.io/library/nginx:latest', source: { kind: 'registry', ref: 'r.example/n:1' } },
      { name: 'docker.io/library/alpine:3', source: { kind: 'registry', ref: 'docker.io/library/busybox:latest' } },
      { name: 'docker.io/lib/x:latest', source: { kind: 'oci-layout', path: 'out/dir', tag: 'tag' } },
    ])
  })

  test('mapped twice, or to nothing that is an image, are problems', () => {
    const problems = problemsOf({ 'external-images': 'nginx=a\ndocker.io/library/nginx:latest=b\nx=https://a/b\nx' })
    expect(problems.toSorted()).toEqual([
      expect.stringMatching(/`docker\.io\/library\/nginx:latest` is mapped twice/),
      expect.stringMatching(/`x=https:\/\/a\/b`: https:\/\/ is no kind of image/),
      expect.stringMatching(/`x` is not of the form `NAME=REF`/),
    ])
  })
})

describe('secrets', () => {
  test('of three kinds', () => {
    const given = { secrets: 'a=x=y\n"b=1\n2"', 'secret-envs': 'c=C,d=D', 'secret-files': 'e=dir/f' }
    expect(inputsOf(given, { C: '1', D: '' }).secrets).toEqual([
      { kind: 'value', id: 'a', value: 'x=y' },
      { kind: 'value', id: 'b', value: '1\n2' },
      { kind: 'env', id: 'c', env: 'C' },
      { kind: 'env', id: 'd', env: 'D' },
      { kind: 'file', id: 'e', path: 'dir/f' },
    ])
  })

  test('that are empty are left out, as docker/build-push-action does it, and told where something is built', () => {
    const { inputs, warnings } = read({ secrets: 'a=\nb=x' })
    expect(inputs.secrets).toEqual([{ kind: 'value', id: 'b', value: 'x' }])
    expect(warnings.map(({ message }) => message)).toEqual([
      '`secrets`: `a` is empty, so the build is not given that secret.',
    ])
    expect(read({ secrets: 'a=', mode: 'plan' }).warnings).toEqual([
      { message: '`mode: plan` builds nothing and ignores `secrets`.' },
    ])
  })

  test('that are misspelt are told without their value', () => {
    const problems = problemsOf({ secrets: 'hush-hush\na=hush-2', 'secret-envs': 'a=NOT_SET' })
    expect(problems).toHaveLength(3)
    expect(problems.join('\n')).not.toContain('hush')
    expect(problems[1]).toBe(
      "secret-envs: `secret-envs`: the variable `NOT_SET` is not set. Set it in the step's `env:`.",
    )
    expect(problems[2]).toMatch(/The secret `a` is given twice/)
  })
})

describe('single values', () => {
  test.each<[InputName, string, RegExp]>([
    ['push', 'yes', /`push`: `yes` is neither `true` nor `false`\. Write/],
    ['load', '1', /`load`: `1` is neither/],
    ['mode', 'biuld', /`mode`: `biuld` is not one of .*Did you mean `build`\?/],
    ['compression', 'gzipp', /Did you mean `gzip`\?/],
    ['platforms', 'linux/amd46', /`platforms`: `linux\/amd46`.*Did you mean `linux\/amd64`\?/],
    ['outputs', 'type=locl,dest=x', /Did you mean `type=local`\?/],
    ['outputs', 'type=tar', /does not say where to write\. Add `dest=PATH`/],
    ['network', 'bridge', /`network`: `bridge` is not one of `default`, `none`, `host`/],
    ['shm-size', 'lots', /`shm-size`: `lots` is not a size/],
    ['ulimit', 'nofile', /`ulimit`: `nofile` is not of the form/],
    ['add-hosts', 'x', /`add-hosts`: `x` is not of the form `HOST:IP`/],
    ['labels', '=x', /`labels`: `=x` is not of the form `KEY=VALUE`/],
    ['labels', '# for people', /`labels`: `# for people` is not of the form `KEY=VALUE`/],
    ['annotations', 'index:=x', /`annotations`: `index:=x` is not of the form `\[TYPE:\]NAME=VALUE`/],
    ['annotations', 'novalue', /`annotations`: `novalue` is not of the form/],
    ['build-args', '=x', /`build-args`: `=x` is not of the form `NAME=VALUE`/],
    ['call', 'check', /`call`: `check` is not supported.*`mode: plan`/],
    ['context', 'https://github.com/a/b.git', /`context`: .*Add `actions\/checkout`/],
    ['skip-unchanged', 'maybe', /`skip-unchanged`: `maybe` is not one of/],
  ])('%s: %s is one problem with the value and a mend', (name, value, expected) => {
    const problems = problemsOf({ [name]: value })
    expect(problems).toEqual([expect.stringMatching(expected)])
    expect(problems[0]).toMatch(new RegExp(`^${name}: .* \\S+.*$`))
  })

  test('platforms are named as everywhere else, `local` being that of this machine', () => {
    const given: Given = { platforms: 'local, linux/arm/v7\nlinux/arm64/v8,AMD64' }
    const { inputs } = readInputs((name) => given[name] ?? '', {}, 'linux/arm64')
    expect(inputs.platforms).toEqual(['linux/arm64', 'linux/arm/v7', 'linux/amd64'])
  })

  test('all problems are told at once', () => {
    const bad = { push: 'yes', mode: 'x', tags: '"', 'shm-size': 'x', call: 'y', 'secret-envs': 'a=B', labels: '=z' }
    const inputs = problemsOf(bad).map((problem) => problem.split(':')[0])
    expect(inputs.toSorted()).toEqual(Object.keys(bad).toSorted())
  })

  test('booleans are YAML’s; the defaults build without pushing', () => {
    expect(inputsOf({ push: 'True', load: 'TRUE', pull: 'False' })).toMatchObject({
      push: true,
      load: true,
      pull: false,
    })
    expect(inputsOf({})).toMatchObject({
      mode: 'build',
      context: '.',
      file: undefined,
      push: false,
      compression: 'gzip',
    })
  })
})

describe('the layer cache', () => {
  test.each<[string, number]>([
    ['5GB', 5e9],
    ['5 gb', 5e9],
    ['0.5GB', 5e8],
    ['2GiB', 2 ** 31],
    ['512 MiB', 2 ** 29],
    ['1TB', 1e12],
    ['1tib', 2 ** 40],
    ['64kB', 64_000],
    ['1KiB', 1024],
    ['1.0005KB', 1001],
    ['100', 100],
    ['100B', 100],
    ['0', 0],
  ])('cache-max-size: %s', (text, bytes) => {
    expect(inputsOf({ 'cache-max-size': text }).cacheMaxSize).toBe(bytes)
  })

  test.each(['5 GBs', 'GB', '-5GB', '5,5GB', '1e9', 'unlimited', '5GB 5GB', '.5GB', '5.GB', '0x10', '1constructor'])(
    'cache-max-size: %s is one problem that says how it is written',
    (text) => {
      expect(problemsOf({ 'cache-max-size': text })).toEqual([
        `cache-max-size: \`cache-max-size\`: \`${text}\` is no number of bytes. Write it as \`5GB\`, \`500MB\` or \`2GiB\`.`,
      ])
    },
  )

  test('the directory is absolute, whatever the working directory becomes', () => {
    expect(inputsOf({ 'cache-dir': '/var/cache/x' }).cacheDir).toBe('/var/cache/x')
    expect(inputsOf({ 'cache-dir': 'x/../y' }).cacheDir).toBe(join(process.cwd(), 'y'))
    expect(inputsOf({}).cacheDir).toBeUndefined()
  })

  test('is used as it can be where nothing else is said', () => {
    expect(inputsOf({})).toMatchObject({ cache: 'auto', cacheBackend: 'auto', cacheScope: '' })
    expect(inputsOf({ cache: 'read-only', 'cache-backend': 'directory', 'cache-scope': ' a b ' })).toMatchObject({
      ...{ cache: 'read-only', cacheBackend: 'directory', cacheScope: 'a b' },
    })
  })

  test('names what it is, where something else is said', () => {
    expect(problemsOf({ cache: 'readonly' })).toEqual([
      'cache: `cache`: `readonly` is not one of `auto`, `read-write`, `read-only`, `off`. Did you mean `read-only`?',
    ])
    expect(problemsOf({ 'cache-backend': 's3' })[0]).toMatch(/^cache-backend: .*`auto`, `github`, `directory`/)
  })

  test('says that a directory is of no use to GitHub’s service', () => {
    const [warning] = read({ 'cache-backend': 'github', 'cache-dir': '/x' }).warnings
    expect(warning?.message).toBe('`cache-dir` has no effect with `cache-backend: github`.')
    expect(read({ 'cache-backend': 'directory', 'cache-dir': '/x' }).warnings).toEqual([])
  })
})

describe('the report', () => {
  test('size budgets are read, and every mistake in them is told at once', () => {
    expect(read({ 'size-budgets': 'a=1MB\n*=+5%' }).inputs.sizeBudgets).toEqual(['a=1MB', '*=+5%'])
    expect(problemsOf({ 'size-budgets': 'a=much\nb', comment: 'sometimes' })).toEqual([
      expect.stringMatching(/^comment: .*`sometimes`/),
      expect.stringMatching(/^size-budgets: .*`a=much`/),
      expect.stringMatching(/^size-budgets: .*`b`/),
    ])
  })

  test('comments on changed sizes by default, and compares with the base branch', () => {
    expect(read({}).inputs).toMatchObject({ comment: 'size-changed', baseline: undefined, sizeBudgets: [] })
  })
})

describe('warnings', () => {
  test('name what `mode: plan` ignores', () => {
    const [warning] = read({ mode: 'plan', builder: 'mine', secrets: 'a=b', network: 'host', tags: 'x:1' }).warnings
    expect(warning?.message).toBe('`mode: plan` builds nothing and ignores `secrets`, `builder`.')
  })

  test('name what `mode: cleanup` ignores', () => {
    const { inputs, warnings } = read({ mode: 'cleanup', builder: 'mine', targets: 'a', 'dry-run': 'true' })
    expect([inputs.mode, inputs.dryRun]).toEqual(['cleanup', true])
    expect(warnings.map(({ message }) => message)).toEqual([
      '`mode: cleanup` builds nothing and ignores `builder`, `targets`.',
    ])
  })
})
