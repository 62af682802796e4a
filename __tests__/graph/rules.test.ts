/** One row for each rule about edges, platforms, contexts and triggers that the recorded cases leave out. */
import { describe, expect, test } from '@jest/globals'
import type { ResolveOptions } from '../../src/graph/resolve.ts'
import { graphOf, outline, resolveText, type StageOutline } from '../support/graph-outline.ts'

type Edges = [base: string, ...needs: string[]]

/** Stages as short texts: `2` a stage, `img` an image of Docker Hub, `scratch`; needs as `copy:2`. */
function edges(text: string, options: Partial<ResolveOptions> = {}): Edges[] {
  const { graph, target, errors } = resolveText(text, options)
  if (graph === undefined) throw new Error(errors[0]?.message)
  return outline(graph, target ?? -1).map(({ base, deps }) => [
    short(base),
    ...deps.map((dep) => `${dep.kind}:${short(dep)}`),
  ])
}

function short(source: StageOutline['base']): string {
  if ('stage' in source) return String(source.stage)
  if ('scratch' in source) return 'scratch'
  return source.image.replace(/^docker\.io\/library\//, '').replace(/:latest$/, '')
}

const ROWS: readonly [rule: string, dockerfile: string, expected: Edges[], options?: Partial<ResolveOptions>][] = [
  ['FROM sees a name in the letters of the definition only', 'FROM x AS Build\nFROM build\n', [['x'], ['0']]],
  ['an expanded base can be a stage', 'ARG B=a\nFROM x AS a\nFROM ${B}\n', [['x'], ['0']]],
  ['an expanded base with a tag is an image', 'ARG B=a\nFROM x AS a\nFROM ${B}:1\n', [['x'], ['a:1']]],
  [
    'a name with a digest is an image',
    `FROM x AS a\nFROM a@sha256:${'0'.repeat(64)}\n`,
    [['x'], [`a@sha256:${'0'.repeat(64)}`]],
  ],
  ['a full name is no stage', 'FROM x AS a\nFROM docker.io/library/a\n', [['x'], ['a']]],
  ['FROM with a number is an image', 'FROM x AS a\nFROM 0\n', [['x'], ['0']]],
  [
    'a mount with a number is an image',
    'FROM x\nFROM y\nRUN --mount=from=0,target=/x true\n',
    [['x'], ['y', 'mount:0']],
  ],
  ['COPY by name is blind to letters', 'FROM x AS a\nFROM y\nCOPY --from=A / /\n', [['x'], ['y', 'copy:0']]],
  ['COPY by +number', 'FROM x\nFROM y\nCOPY --from=+0 / /\n', [['x'], ['y', 'copy:0']]],
  ['COPY by -0', 'FROM x\nFROM y\nCOPY --from=-0 / /\n', [['x'], ['y', 'copy:0']]],
  [
    'a number too large for an int is an image',
    'FROM x\nCOPY --from=99999999999999999999 / /\n',
    [['x', 'copy:99999999999999999999']],
  ],
  ['stage-N is no name', 'FROM x\nFROM y\nCOPY --from=stage-0 / /\n', [['x'], ['y', 'copy:stage-0']]],
  [
    'an edge stands once however often it is used',
    'FROM x AS a\nFROM y\nCOPY --from=a / /\nCOPY --from=0 / /b\n',
    [['x'], ['y', 'copy:0']],
  ],
  [
    'copy and mount of one stage are two edges',
    'FROM x AS a\nFROM y\nCOPY --from=a / /\nRUN --mount=from=a,target=/b true\n',
    [['x'], ['y', 'copy:0', 'mount:0']],
  ],
  [
    'edges stand in the order of the file',
    'FROM x AS a\nFROM y AS b\nFROM z\nCOPY --from=b / /\nCOPY --from=w / /\nCOPY --from=a / /\n',
    [['x'], ['y'], ['z', 'copy:1', 'copy:w', 'copy:0']],
  ],
  ['--from= is the build context', 'FROM x\nCOPY --from= a b\n', [['x']]],
  ['ADD makes no edge', 'FROM x AS a\nFROM y\nADD a /\n', [['x'], ['y']]],
  [
    'mounts of every type make edges',
    'FROM x AS a\nFROM y\nRUN --mount=type=cache,from=a,target=/c --mount=type=tmpfs,from=x,target=/d true\n',
    [['x'], ['y', 'mount:0', 'mount:x']],
  ],
  [
    'a mount whose type is a variable makes an edge',
    'FROM x AS a\nFROM y\nARG T=bind\nRUN --mount=type=$T,from=a,target=/c true\n',
    [['x'], ['y', 'mount:0']],
  ],
  [
    'the last from of a mount counts',
    'FROM x AS a\nFROM y\nRUN --mount=from=z,from=a,target=/c true\n',
    [['x'], ['y', 'mount:0']],
  ],
  [
    'an empty last from is the build context',
    'FROM x AS a\nFROM y\nRUN --mount=from=a,from=,target=/c true\n',
    [['x'], ['y']],
  ],
  ['a mount from scratch', 'FROM y\nRUN --mount=from=scratch,target=/c true\n', [['y', 'mount:scratch']]],
  [
    'mounts behind other flags',
    'FROM x AS a\nFROM y\nRUN --network=none --security=sandbox --mount=from=a,target=/c true\n',
    [['x'], ['y', 'mount:0']],
  ],
  ['a mount after the command is text', 'FROM x AS a\nFROM y\nRUN true --mount=from=a,target=/c\n', [['x'], ['y']]],
  [
    'a mount without from takes a slot on the list of states',
    'FROM x AS a\nRUN --mount=type=cache,target=/c true\nFROM y\nCOPY --from=2 / /x\n',
    [['x'], ['y', 'copy:scratch']],
  ],
  [
    'a number can hit an image named before',
    'FROM x AS a\nCOPY --from=z / /\nFROM y\nCOPY --from=2 / /x\n',
    [
      ['x', 'copy:z'],
      ['y', 'copy:z'],
    ],
  ],
  [
    'an image hit by number is put on the list again',
    'FROM x\nCOPY --from=z / /\nCOPY --from=1 / /\nCOPY --from=2 / /\n',
    [['x', 'copy:z']],
  ],
  ['a stage called scratch is the base of FROM scratch', 'FROM x AS scratch\nFROM scratch\n', [['x'], ['0']]],
  [
    'a stage called scratch is a phantom of mounts, even before it',
    'FROM x AS a\nRUN --mount=type=secret,id=x true\nFROM y AS scratch\n',
    [['x', 'mount-phantom:1'], ['y']],
  ],
  ['of duplicates FROM takes the latest so far', 'FROM x AS a\nFROM a AS a\nFROM a\n', [['x'], ['0'], ['1']]],
  [
    'of duplicates COPY takes the last in the file',
    'FROM x AS a\nFROM y\nCOPY --from=a / /\nFROM z AS a\n',
    [['x'], ['y', 'copy:2'], ['z']],
  ],
  ['the base of a stage of its own name is the earlier one', 'FROM x AS a\nFROM a AS a\n', [['x'], ['0']]],
  ['an ARG in a stage never reaches FROM', 'ARG V=1\nFROM x AS a\nARG V=2\nFROM y:$V\n', [['x'], ['y:1']]],
  ['a build argument without ARG never reaches FROM', 'FROM y:1$V\n', [['y:1']], { buildArgs: { V: '2' } }],
  ['a build argument wins over the default', 'ARG V=1\nFROM y:$V\n', [['y:2']], { buildArgs: { V: '2' } }],
  ['an empty build argument wins, too', 'ARG V=1\nFROM y:v$V\n', [['y:v']], { buildArgs: { V: '' } }],
  ['a build argument is raw', 'ARG A=1\nARG V\nFROM y:1${V:+$A}\n', [['y:11']], { buildArgs: { V: '$A' } }],
  [
    'names like those of every object are ordinary arguments',
    'ARG __proto__=1\nARG constructor=2\nFROM y:$__proto__$constructor$toString\n',
    [['y:12']],
  ],
  [
    'the target platform, unasked',
    'FROM y:$TARGETOS-$TARGETARCH-$TARGETVARIANT\n',
    [['y:linux-arm-v7']],
    { platform: 'linux/arm' },
  ],
  ['arm64 has no variant', 'FROM y:$TARGETARCH-x$TARGETVARIANT\n', [['y:arm64-x']], { platform: 'linux/arm64/v8' }],
  ['the builder’s platform', 'FROM y:$BUILDARCH-$TARGETARCH\n', [['y:arm64-amd64']], { buildPlatform: 'linux/arm64' }],
  [
    'a build argument wins over an automatic one without ARG',
    'FROM y:$TARGETARCH\n',
    [['y:q']],
    { buildArgs: { TARGETARCH: 'q' } },
  ],
  ['TARGETSTAGE is the target as written', 'FROM y:$TARGETSTAGE AS foo\n', [['y:FOO']], { target: 'FOO' }],
  ['TARGETSTAGE is the last stage’s name', 'FROM y:$TARGETSTAGE AS foo\n', [['y:foo']]],
  ['TARGETSTAGE is default where the last stage has no name', 'FROM y:$TARGETSTAGE\n', [['y:default']]],
  [
    'triggers stand before the stage’s own edges',
    'FROM x AS s\nFROM y AS b\nONBUILD COPY --from=s / /\nFROM b\nCOPY --from=z / /\n',
    [['x'], ['y'], ['1', 'onbuild-copy:0', 'copy:z']],
  ],
  [
    'triggers run in children, not in grandchildren',
    'FROM x AS s\nFROM y AS b\nONBUILD COPY --from=s / /\nFROM b AS c\nFROM c\n',
    [['x'], ['y'], ['1', 'onbuild-copy:0'], ['2']],
  ],
  [
    'a triggered mount',
    'FROM x AS s\nFROM y AS b\nONBUILD RUN --mount=from=s,target=/m true\nFROM b\n',
    [['x'], ['y'], ['1', 'onbuild-mount:0']],
  ],
  [
    'triggers in heredoc form',
    'FROM x AS s\nFROM y AS b\nONBUILD RUN --mount=from=s,target=/m <<EOF\nCOPY --from=q / /\nEOF\nFROM b\n',
    [['x'], ['y'], ['1', 'onbuild-mount:0']],
  ],
  [
    'a trigger makes a stage needed whose base triggers more',
    'FROM w AS s\nFROM x AS t\nONBUILD COPY --from=s / /\nFROM t AS u\nFROM y AS b\nONBUILD COPY --from=u / /\nFROM b\n',
    [['w'], ['x'], ['1', 'onbuild-copy:0'], ['y'], ['3', 'onbuild-copy:2']],
  ],
  [
    'triggers of a stage that is not needed do not run',
    'FROM x AS s\nFROM y AS b\nONBUILD COPY --from=s / /\nFROM b AS c\nFROM z\n',
    [['x'], ['y'], ['1'], ['z']],
  ],
  [
    '… unless every stage is asked for',
    'FROM x AS s\nFROM y AS b\nONBUILD COPY --from=s / /\nFROM b AS c\nFROM z\n',
    [['x'], ['y'], ['1', 'onbuild-copy:0'], ['z']],
    { triggersFor: 'all' },
  ],
  [
    '… or is a target',
    'FROM x AS s\nFROM y AS b\nONBUILD COPY --from=s / /\nFROM b AS c\nFROM z\n',
    [['x'], ['y'], ['1', 'onbuild-copy:0'], ['z']],
    { triggersFor: ['C', 'nobody'] },
  ],
  [
    'triggers of an image',
    'FROM x AS s\nFROM y\n',
    [['x'], ['y', 'onbuild-copy:0']],
    { onBuildOf: (image) => (image === 'docker.io/library/y:latest' ? ['COPY --from=s / /'] : undefined) },
  ],
  [
    'triggers of an image, then those of the parent stage',
    'FROM x AS s\nFROM y AS p\nONBUILD COPY --from=z / /\nFROM p\n',
    [['x'], ['y', 'onbuild-copy:0'], ['1', 'onbuild-copy:z']],
    { onBuildOf: (image) => (image.includes('/y:') ? ['copy --from=S / /'] : []) },
  ],
  [
    'a stage replaced by a context has no base edge but keeps its needs',
    'FROM x AS s\nFROM s AS b\nCOPY --from=s / /\nFROM b\n',
    [['x'], ['s', 'copy:0'], ['1']],
    { contexts: ['b'] },
  ],
  [
    'children of a replaced stage run its triggers',
    'FROM x AS s\nFROM y AS b\nONBUILD COPY --from=s / /\nFROM b\n',
    [['x'], ['y'], ['1', 'onbuild-copy:0']],
    { contexts: ['b'] },
  ],
]

// No fourth parameter: jest would take it for `done` in rows of three.
test.each(ROWS)('%s', (...[, dockerfile, expected, options]) => {
  expect(edges(dockerfile, options)).toEqual(expected)
})

describe('named contexts', () => {
  const source = (from: string, contexts: ResolveOptions['contexts'], platform = 'linux/amd64') =>
    graphOf(`FROM ${from}\n`, { contexts, platform }).stages[0]?.from

  test.each([
    ['foo', 'foo'],
    ['foo:latest', 'foo'],
    ['docker.io/library/foo', 'foo'],
    ['docker.io/org/foo:latest', 'org/foo'],
    ['foo:3', 'foo:3'],
    ['foo', 'docker.io/library/foo:latest'],
  ])('FROM %s is the context %s', (from, key) => {
    expect(source(from, [key])).toMatchObject({ kind: 'context', context: key })
  })

  test.each([
    ['foo:3', 'foo'],
    ['foo', 'foo:3'],
    ['org/foo', 'foo'],
    [`foo@sha256:${'0'.repeat(64)}`, 'foo'],
  ])('FROM %s is not the context %s', (from, key) => {
    expect(source(from, [key])).toMatchObject({ kind: 'image' })
  })

  test('one for the platform comes first', () => {
    const contexts = { foo: 'a', 'foo::linux/arm64': 'b' }
    expect(source('foo', contexts, 'linux/arm64/v8')).toMatchObject({ context: 'foo::linux/arm64' })
    expect(source('foo', contexts)).toMatchObject({ context: 'foo' })
    expect(source('--platform=linux/arm64 foo', contexts)).toMatchObject({ context: 'foo::linux/arm64' })
  })

  test('scratch and context cannot be replaced', () => {
    expect(source('scratch', new Map([['scratch', 'x']]))).toEqual({ kind: 'scratch' })
    const { stages } = graphOf('FROM x AS context\n', { contexts: ['context'] })
    expect(stages[0]?.replacedByContext).toBeUndefined()
  })

  test('a context and the image behind it are both known', () => {
    const need = graphOf('FROM x\nCOPY --from=foo / /\n', { contexts: ['foo'] }).stages[0]?.needs[0]
    expect(need).toEqual({
      ...{ via: 'copy', line: 2 },
      source: { kind: 'context', context: 'foo', image: 'docker.io/library/foo:latest' },
    })
  })

  test('a later stage that a context replaces can be copied from', () => {
    const text = 'FROM x AS a\nCOPY --from=b / /\nFROM y AS b\n'
    expect(resolveText(text, { target: 'a' }).errors).toHaveLength(1)
    expect(resolveText(text, { target: 'a', contexts: ['b'] }).errors).toEqual([])
  })
})

describe('platforms', () => {
  const platforms = (text: string, platform = 'linux/amd64') =>
    graphOf(text, { platform }).stages.map((stage) => stage.platform)

  test('a stage has its own, its base stage’s, or the target’s', () => {
    const text = 'FROM --platform=linux/arm64 x AS a\nFROM --platform=linux/s390x a\nFROM y\n'
    expect(platforms(text, 'linux/ppc64le')).toEqual(['linux/arm64', 'linux/arm64', 'linux/ppc64le'])
  })

  test('they are normalised', () => {
    const wanted = ['linux/arm/v7', 'linux/arm64', 'linux/amd64', 'linux/386', 'linux/arm/v6', 'darwin/amd64']
    const written = ['arm', 'linux/aarch64/8', 'linux/x86_64', 'linux/i386', 'linux/armel', 'macos/amd64/v1']
    expect(platforms(written.map((platform) => `FROM --platform=${platform} x`).join('\n'))).toEqual(wanted)
  })

  test('scratch is always for the target platform', () => {
    expect(platforms('FROM --platform=linux/arm64 scratch\n')).toEqual(['linux/amd64'])
  })

  test('a target platform that is none is an error, not an exception', () => {
    const { graph, errors } = resolveText('FROM x\n', { platform: 'no/such/platform/at/all' })
    expect(graph).toBeUndefined()
    expect(errors[0]?.message).toMatch(/^failed to parse target platform no\/such\/platform\/at\/all: /)
  })
})

describe('what is read of the build context', () => {
  const first = (text: string, buildArgs = {}) => graphOf(text, { buildArgs }).stages.at(-1)

  test.each([
    ['COPY a /b/../c ./d/ /', ['/a', '/c', '/d']],
    ['COPY . .', ['/']],
    ['COPY ../../x /', ['/x']],
    ['COPY *.go go.* src/**/x /', ['/*.go', '/go.*', '/src/**/x']],
    ['COPY ["a b", "c"]', ['/a b']],
    ['COPY --from=z a b', []],
    ['COPY <<EOF /x\nEOF', []],
    ['COPY <<EOF a /x/\nEOF', ['/a']],
    ['ADD https://x/y a /', ['/a']],
    ['RUN --mount=target=/x,source=src true', ['/src']],
    ['RUN --mount=type=cache,target=/x true', []],
    ['RUN --mount=type=secret,id=x true', []],
    ['RUN --mount=from=z,target=/x true', []],
  ])('%s', (instruction, expected) => {
    expect(first(`FROM x\n${instruction}\n`)?.contextPaths).toEqual(expected)
  })

  test('variables are expanded with what the stage sees', () => {
    const text =
      'ARG G=g\nARG H=h\nFROM x AS p\nARG G\nENV E="$G/e"\nFROM p\nARG B=no\nCOPY $E $H/${B} q${TARGETARCH}/ /\n'
    expect(first(text, { B: 'b' })?.contextPaths).toEqual(['/b', '/g/e', '/q'])
    expect(first(text)?.undefinedVariables).toEqual(['H', 'TARGETARCH'])
  })

  test('ENV uses the values from before its own line, ARG those of the same line', () => {
    expect(first('FROM x\nENV A=1\nENV A=2 B=$A\nCOPY $B /\n')?.contextPaths).toEqual(['/1'])
    expect(first('FROM x\nARG A=2 B=$A\nCOPY $B /\n')?.contextPaths).toEqual(['/2'])
  })

  test('each instruction’s part is known with its line and its excludes', () => {
    const stage = first(
      'FROM x\nCOPY --exclude=*.md --parents a b /\nADD c https://h/f /\nRUN --mount=target=/m --mount=type=tmpfs,target=/t true\n',
    )
    expect(stage?.reads).toEqual([
      { line: 2, via: 'copy', paths: ['/a', '/b'], exclude: ['*.md'], parents: true },
      { line: 3, via: 'add', paths: ['/c'], exclude: [], parents: false },
      { line: 4, via: 'mount', paths: ['/'], exclude: [], parents: false },
    ])
    expect(stage?.remotes).toEqual([{ line: 3, source: 'https://h/f', checksum: undefined }])
  })

  test('a stage that a context replaces reads nothing', () => {
    const graph = graphOf('FROM x AS a\nCOPY q /\nFROM a\n', { contexts: ['a'] })
    expect(graph.stages[0]?.contextPaths).toEqual([])
  })
})

test('lines: a stage’s, an edge’s, a trigger’s', () => {
  const graph = graphOf(
    'FROM x AS s\n\nFROM y AS b\nONBUILD COPY --from=s / /\n# c\nFROM b\nRUN <<EOF\nq\nEOF\nCOPY \\\n --from=z / /\n\n',
  )
  expect(graph.stages.map(({ line, endLine }) => [line, endLine])).toEqual([
    [1, 1],
    [3, 4],
    [6, 11],
  ])
  expect(graph.stages[2]?.needs.map((need) => need.line)).toEqual([6, 10])
})

describe('errors', () => {
  test('independent ones are all found, BuildKit’s first', () => {
    const { errors } = resolveText(
      'FROM ${X}\nFROM --platform=abc x\nFROM y AS a-\nFROM z AS b\nCOPY --from=9 a b\nCOPY --from=$q a b\n',
    )
    expect(errors.map(({ phase, line }) => `${phase}:${line ?? ''}`)).toEqual([
      ...['states:1', 'states:2', 'states:3', 'graph:5', 'graph:6'],
    ])
  })

  test('dispatch errors know their stage and count only where it is needed', () => {
    const { errors } = resolveText('FROM x AS a\nCOPY --chmod=999 x y\nFROM y AS b\n')
    expect(errors).toMatchObject([{ scope: 'reachable-only', stage: 0, phase: 'dispatch', line: 2 }])
  })

  test('each of the common ones has a mend', () => {
    for (const text of [
      'FROM ${X}',
      'FROM x:',
      'FROM a\nCOPY --from=0 a b',
      'FROM a\nCOPY --from=7 a b',
      'FROM a\nCOPY --from=$q a b',
    ]) {
      expect(resolveText(text).errors[0]?.mend).toBeDefined()
    }
  })
})

test('whether the graph depends on the target is said', () => {
  expect(resolveText('FROM x\n').dependsOnTarget).toBe(false)
  expect(resolveText('FROM x:$TARGETSTAGE\n').dependsOnTarget).toBe(true)
  expect(resolveText('ARG V=$TARGETSTAGE\nFROM x:$V\n').dependsOnTarget).toBe(true)
})
