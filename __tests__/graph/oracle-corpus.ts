/**
 * Dockerfiles for the oracle: each small enough to build at once, each with at least one edge between stages, to an
 * image or to a named context. The build context holds `f`, `g` and `dir/a.txt`.
 */

export interface OracleCase {
  readonly name: string
  readonly dockerfile: string
  readonly target?: string
  readonly args?: Readonly<Record<string, string>>
  readonly platform?: string
  readonly contexts?: Readonly<Record<string, string>>
  /** Edges that are in the graph and not in LLB; see `GraphView.unseen`. */
  readonly unseen?: readonly string[]
  /** Stages that must be absent from LLB and unreachable for us. */
  readonly unreachable?: readonly number[]
}

/** A Dockerfile without the indentation that it has here. */
function file(strings: TemplateStringsArray): string {
  const lines = (strings.raw[0] ?? '').replace(/^\n/, '').replace(/\n *$/, '\n').split('\n')
  const indents = lines.filter((line) => line.trim() !== '').map((line) => /^ */.exec(line)?.[0].length ?? 0)
  const indent = Math.min(...indents)
  return lines.map((line) => line.slice(indent)).join('\n')
}

export const ORACLE_CASES: readonly OracleCase[] = [
  {
    name: 'copy-by-index',
    dockerfile: file`
      FROM scratch
      COPY f /one
      FROM scratch
      COPY --from=0 /one /two
    `,
  },
  {
    name: 'copy-by-index-spelled-oddly',
    dockerfile: file`
      FROM scratch
      COPY f /zero
      FROM scratch
      COPY f /uno
      FROM scratch
      COPY --from=+0 /zero /a
      COPY --from=001 /uno /b
    `,
  },
  {
    name: 'copy-ignores-case',
    dockerfile: file`
      FROM scratch AS Builder
      COPY f /built
      FROM scratch
      COPY --from=BUILDER /built /b
    `,
  },
  {
    name: 'copy-ignores-case-after-a-chain',
    dockerfile: file`
      FROM scratch AS one
      COPY f /1
      FROM one AS two
      COPY f /2
      FROM two
      COPY --from=One /1 /3
    `,
  },
  {
    name: 'from-stage-without-operations',
    dockerfile: file`
      FROM alpine AS base
      ENV A=1
      FROM base AS middle
      LABEL b=2
      FROM middle
      COPY f /f
    `,
  },
  {
    name: 'target-without-operations',
    dockerfile: file`
      FROM alpine AS base
      COPY f /f
      FROM base AS final
      CMD ["/f"]
    `,
  },
  {
    name: 'arg-in-from',
    dockerfile: file`
      ARG BASE=one
      FROM scratch AS one
      COPY f /1
      FROM scratch AS two
      COPY f /2
      FROM $BASE
      COPY g /g
    `,
    unreachable: [1],
  },
  {
    name: 'build-arg-in-from',
    dockerfile: [
      'ARG BASE=one',
      'FROM scratch AS one',
      'COPY f /1',
      'FROM scratch AS two',
      'COPY f /2',
      'FROM ${BASE}',
      'COPY g /g',
      '',
    ].join('\n'),
    args: { BASE: 'two' },
    unreachable: [0],
  },
  {
    name: 'arg-defaults-build-on-each-other',
    dockerfile: [
      'ARG A=tw',
      'ARG B=${A}o C',
      'FROM scratch AS one',
      'COPY f /1',
      'FROM scratch AS two',
      'COPY f /2',
      'FROM ${C:-${B}}',
      'COPY g /g',
      '',
    ].join('\n'),
    unreachable: [0],
  },
  {
    name: 'modifiers',
    dockerfile: [
      'ARG V=stage-b.txt',
      'FROM scratch AS a',
      'COPY f /a',
      'FROM scratch AS b',
      'COPY f /b',
      'FROM scratch AS c',
      'COPY f /c',
      'FROM ${V:+b} AS plus',
      'COPY g /1',
      'FROM ${UNSET-a} AS minus',
      'COPY g /2',
      'FROM ${UNSET:-c} AS colon',
      'COPY g /3',
      'FROM scratch',
      'COPY --from=plus /1 /1',
      'COPY --from=minus /2 /2',
      'COPY --from=colon /3 /3',
      '',
    ].join('\n'),
  },
  {
    name: 'pattern-modifiers',
    dockerfile: [
      'ARG V=stage-b.txt',
      'ARG W=${V#stage-}',
      'ARG X=${V/stage-b/a}',
      'FROM scratch AS a',
      'COPY f /a',
      'FROM scratch AS b',
      'COPY f /b',
      'FROM ${W%.txt} AS first',
      'COPY g /1',
      'FROM ${X%%.*}',
      'COPY --from=first /1 /1',
      '',
    ].join('\n'),
  },
  {
    name: 'arg-of-a-stage-never-reaches-from',
    dockerfile: file`
      ARG BASE=one
      FROM scratch AS one
      ARG BASE=two
      COPY f /1
      FROM scratch AS two
      COPY f /2
      FROM $BASE
      COPY g /g
    `,
    unreachable: [1],
  },
  {
    name: 'quoted-arg-default',
    dockerfile: file`
      ARG BASE="two"
      ARG OTHER='one'
      FROM scratch AS one
      COPY f /1
      FROM scratch AS two
      COPY f /2
      FROM $BASE AS three
      COPY g /3
      FROM $OTHER
      COPY --from=three /3 /4
    `,
  },
  {
    name: 'heredoc-hides-instructions',
    dockerfile: file`
      FROM scratch AS a
      COPY <<EOF /script
      FROM nothing AS b
      COPY --from=c / /
      # a comment
      EOF
      FROM scratch AS b
      COPY --from=a <<-ONE <<"TWO" /script /dst/
      	FROM one
      	ONE
      FROM two \
      TWO
      FROM scratch
      COPY --from=b /dst /x
    `,
  },
  {
    name: 'heredoc-run',
    dockerfile: file`
      FROM alpine AS a
      RUN <<EOF
      echo "COPY --from=b" > /made
      EOF
      FROM scratch
      COPY --from=a /made /made
    `,
  },
  {
    name: 'onbuild-copy-in-this-file',
    dockerfile: file`
      FROM scratch AS lib
      COPY f /lib
      FROM scratch AS parent
      COPY g /parent
      ONBUILD COPY --from=lib /lib /lib
      FROM parent AS child
      COPY f /child
      FROM scratch
      COPY --from=child /child /x
    `,
  },
  {
    name: 'onbuild-mount-in-this-file',
    dockerfile: file`
      FROM scratch AS lib
      COPY f /lib
      FROM alpine AS parent
      ONBUILD RUN --mount=from=lib,target=/lib cp /lib/lib /got
      FROM parent
      COPY g /g
    `,
  },
  {
    name: 'onbuild-skips-a-generation',
    dockerfile: file`
      FROM scratch AS lib
      COPY f /lib
      FROM scratch AS parent
      ONBUILD COPY --from=lib /lib /lib
      FROM parent AS child
      COPY f /child
      FROM child
      COPY f /grandchild
    `,
  },
  {
    name: 'mount-from-stage',
    dockerfile: file`
      FROM scratch AS data
      COPY f /f
      FROM alpine
      RUN --mount=type=bind,from=data,target=/d cp /d/f /f1
    `,
  },
  {
    name: 'mount-from-image',
    dockerfile: file`
      FROM alpine
      RUN --mount=from=busybox:latest,target=/bb test -e /bb/bin && touch /seen
    `,
  },
  {
    name: 'mount-ignores-case',
    dockerfile: file`
      FROM scratch AS Data
      COPY f /f
      FROM alpine
      RUN --mount=target=/d,from=DATA cp /d/f /f2
    `,
  },
  {
    name: 'mount-cache-from-stage',
    dockerfile: file`
      FROM scratch AS seed
      COPY f /seed
      FROM alpine
      RUN --mount=type=cache,from=seed,target=/c,id=oracle-seed ls /c > /listing
    `,
  },
  {
    name: 'mount-tmpfs-from-stage',
    dockerfile: file`
      FROM scratch AS nothing
      COPY f /nothing
      FROM scratch AS data
      COPY f /d
      FROM alpine
      RUN --mount=type=tmpfs,from=nothing,target=/t --mount=from=data,target=/d cp /d/d /t/
    `,
    unseen: ['2 use stage 0'],
  },
  {
    name: 'mount-quoted-fields-last-from-wins',
    dockerfile: file`
      FROM scratch AS a
      COPY f /a
      FROM scratch AS b
      COPY f /b
      FROM alpine
      RUN --mount="type=bind","from=a","from=b",target=/m cp /m/b /b
    `,
    unreachable: [0],
  },
  {
    name: 'two-mounts-in-one-run',
    dockerfile: file`
      FROM scratch AS a
      COPY f /a
      FROM scratch AS b
      COPY f /b
      FROM alpine
      RUN --mount=from=a,target=/a --mount=from=b,target=/b --network=none \
          --mount=type=cache,target=/root/.cache \
          cat /a/a /b/b > /ab
    `,
  },
  {
    name: 'forward-reference-unreachable',
    dockerfile: file`
      FROM scratch AS early
      COPY --from=late /late /x
      FROM scratch AS late
      COPY f /late
      FROM scratch
      COPY --from=late /late /y
    `,
    unreachable: [0],
  },
  {
    name: 'duplicate-names-last-wins-for-copy',
    dockerfile: file`
      FROM scratch AS twin
      COPY f /first
      FROM twin AS user
      COPY f /user
      FROM scratch AS twin
      COPY f /second
      FROM scratch
      COPY --from=user /user /u
      COPY --from=twin /second /s
    `,
  },
  {
    name: 'stage-shadows-an-image',
    dockerfile: file`
      FROM alpine AS alpine
      COPY f /shadow
      FROM alpine
      COPY f /on-top
    `,
  },
  {
    name: 'a-tag-is-always-an-image',
    dockerfile: file`
      FROM scratch AS busybox
      COPY f /not-this
      FROM scratch
      COPY --from=busybox:latest /bin /bin
      COPY --from=busybox /not-this /that
    `,
  },
  {
    name: 'copy-from-image',
    dockerfile: file`
      FROM scratch
      COPY --from=alpine:3.22 /etc/os-release /os
      COPY --from=docker.io/library/busybox /bin /bin
    `,
  },
  {
    name: 'from-platform',
    dockerfile: file`
      FROM --platform=$BUILDPLATFORM alpine AS tools
      COPY f /tools
      FROM --platform=$TARGETPLATFORM scratch
      COPY --from=tools /tools /t
    `,
  },
  {
    name: 'targetarch-branch-amd64',
    dockerfile: file`
      FROM scratch AS base-amd64
      COPY f /amd
      FROM scratch AS base-arm64
      COPY f /arm
      FROM base-$TARGETARCH
      COPY g /g
    `,
    platform: 'linux/amd64',
    unreachable: [1],
  },
  {
    name: 'targetarch-branch-arm64',
    dockerfile: file`
      FROM scratch AS base-amd64
      COPY f /amd
      FROM scratch AS base-arm64
      COPY f /arm
      FROM base-$TARGETARCH
      COPY g /g
    `,
    platform: 'linux/arm64',
    unreachable: [0],
  },
  {
    name: 'targetstage',
    dockerfile: file`
      FROM scratch AS for-dev
      COPY f /dev
      FROM scratch AS for-prod
      COPY f /prod
      FROM for-$TARGETSTAGE AS dev
      COPY g /1
      FROM for-prod AS prod
      COPY g /2
    `,
    target: 'dev',
    unreachable: [1, 3],
  },
  {
    name: 'target-in-the-middle',
    dockerfile: file`
      FROM scratch AS a
      COPY f /a
      FROM scratch AS b
      COPY --from=a /a /b
      FROM b AS c
      COPY g /c
    `,
    target: 'B',
    unreachable: [2],
  },
  {
    name: 'escape-directive',
    dockerfile: [
      '# escape=`',
      'FROM scratch AS a',
      'COPY f `',
      '  /a',
      '',
      'FROM scratch',
      'COPY `',
      '  --from=a `',
      '  /a /b',
      '',
    ].join('\n'),
  },
  {
    name: 'crlf',
    dockerfile: ['FROM scratch AS a', 'COPY f \\', '  /a', 'FROM scratch', 'COPY --from=a /a /b', ''].join('\r\n'),
  },
  {
    name: 'bom-and-indents',
    dockerfile: '\uFEFF  FROM scratch AS a\n\tCOPY f /a\n    from scratch\n\t  copy --from=a /a /b\n',
  },
  {
    name: 'comments-and-blanks-in-continuations',
    dockerfile: file`
      # FROM commented AS out
      FROM scratch AS a
      COPY f \
        # COPY --from=nobody

        /a
      FROM scratch
      COPY \
      # another
        --from=a \
        /a \
        /b
    `,
  },
  {
    name: 'json-forms',
    dockerfile: file`
      FROM scratch AS a
      COPY ["f", "/a b"]
      FROM alpine
      COPY --from=a ["/a b", "/c"]
      RUN ["touch", "/d"]
    `,
  },
  {
    name: 'named-context-directory-in-copy',
    dockerfile: file`
      FROM scratch AS a
      COPY --from=extra f /f
      FROM scratch
      COPY --from=a /f /g
    `,
    contexts: { extra: 'dir-context' },
  },
  {
    name: 'named-context-in-from',
    dockerfile: file`
      FROM extra
      COPY g /g
    `,
    contexts: { extra: 'dir-context' },
  },
  {
    name: 'named-context-replaces-a-stage',
    dockerfile: file`
      FROM scratch AS unused
      COPY f /unused
      FROM scratch AS deps
      COPY --from=unused /unused /deps
      FROM scratch
      COPY --from=deps /f /x
    `,
    contexts: { deps: 'dir-context' },
  },
  {
    name: 'named-context-image-in-mount',
    dockerfile: file`
      FROM alpine
      RUN --mount=from=tools,target=/t test -e /t/bin && touch /ok
    `,
    contexts: { tools: 'docker-image://busybox:latest' },
  },
  {
    name: 'scratch-copies-and-flags',
    dockerfile: file`
      FROM scratch AS a
      COPY --chmod=644 --chown=1:1 f /a
      FROM scratch
      COPY --chown=2:2 --from="a" --chmod=600 /a /b
    `,
  },
  {
    name: 'link',
    dockerfile: file`
      FROM scratch AS a
      COPY f /a
      FROM alpine AS b
      COPY --link --from=a /a /b
      FROM b
      COPY --link f /c
      COPY --link --from=a /a /d
    `,
  },
  {
    name: 'add',
    dockerfile: file`
      FROM scratch AS a
      ADD f dir /a/
      FROM a
      ADD --chmod=600 g /g
    `,
  },
  {
    name: 'wildcards',
    dockerfile: file`
      FROM scratch AS a
      COPY d*/*.tx[t] [fg] /a/
      FROM scratch
      COPY --from=a /a/* /b/
    `,
  },
  {
    name: 'workdir-alone-is-an-operation',
    dockerfile: file`
      FROM scratch AS a
      WORKDIR /made
      FROM scratch
      COPY --from=a /made /b
    `,
  },
  {
    name: 'deep-chain',
    dockerfile: Array.from(
      { length: 30 },
      (_, i) => `FROM ${i === 0 ? 'scratch' : `s${i - 1}`} AS s${i}\nCOPY f /l${i}\n`,
    ).join(''),
  },
  {
    name: 'diamond',
    dockerfile: file`
      FROM scratch AS top
      COPY f /top
      FROM top AS left
      COPY f /left
      FROM top AS right
      COPY f /right
      FROM left
      COPY --from=right /right /r
      COPY --from=top /top /t
    `,
  },
  {
    name: 'several-sources-in-one-copy',
    dockerfile: file`
      FROM scratch AS a
      COPY f g /src/
      FROM scratch
      COPY --from=a /src/f /src/g /dst/
    `,
  },
  {
    name: 'stage-used-in-three-ways',
    dockerfile: file`
      FROM alpine AS a
      COPY f /a
      FROM a
      COPY --from=a /a /b
      RUN --mount=from=a,target=/m cp /m/a /c
    `,
  },
  {
    name: 'same-instructions-in-two-stages',
    dockerfile: file`
      FROM scratch AS a
      COPY f /same
      FROM scratch AS b
      COPY f /same
      FROM scratch
      COPY --from=a /same /1
      COPY --from=b /same /2
    `,
  },
  {
    name: 'arg-with-the-name-of-an-automatic-one',
    dockerfile: file`
      ARG TARGETARCH=made-up
      FROM scratch AS of-made-up
      COPY f /made-up
      FROM scratch AS of-amd64
      COPY f /amd64
      FROM of-$TARGETARCH
      COPY g /g
    `,
    platform: 'linux/amd64',
    unreachable: [1],
  },
  {
    name: 'dots-and-dashes-in-names',
    dockerfile: file`
      FROM scratch AS a.b-c_d
      COPY f /f
      FROM a.b-c_d AS x1
      COPY g /g
      FROM scratch
      COPY --from=A.B-C_D /f /1
      COPY --from=x1 /g /2
    `,
  },
]

/** Dockerfiles that BuildKit refuses: we must refuse them in the same words. */
export interface OracleError {
  readonly name: string
  readonly dockerfile: string
  readonly target?: string
  readonly args?: Readonly<Record<string, string>>
}

export const ORACLE_ERRORS: readonly OracleError[] = [
  { name: 'blank-in-tag', dockerfile: 'FROM golang: 1.7.3\n' },
  { name: 'colon-after-instruction', dockerfile: 'FROM scratch\nWORKDIR: /go\n' },
  { name: 'as-without-a-name', dockerfile: 'FROM scratch AS\n' },
  { name: 'unknown-instruction', dockerfile: 'FROM scratch\nCOPPY a b\n' },
  { name: 'name-starts-with-a-digit', dockerfile: 'FROM scratch AS 1st\n' },
  { name: 'empty-file', dockerfile: '' },
  { name: 'only-comments', dockerfile: '# nothing\n\n' },
  { name: 'only-arg', dockerfile: 'ARG A=1\n' },
  { name: 'instruction-before-from', dockerfile: 'RUN true\nFROM scratch\n' },
  { name: 'blank-base', dockerfile: 'FROM ${NOTHING}\n' },
  { name: 'index-out-of-range', dockerfile: 'FROM scratch\nCOPY --from=7 /a /b\n' },
  { name: 'index-negative', dockerfile: 'FROM scratch\nCOPY --from=-1 /a /b\n' },
  { name: 'variable-in-copy-from', dockerfile: 'ARG S=a\nFROM scratch AS a\nFROM scratch\nCOPY --from=$S /a /b\n' },
  { name: 'variable-in-mount-from', dockerfile: 'FROM scratch\nRUN --mount=from=$S,target=/m true\n' },
  { name: 'cycle', dockerfile: 'FROM scratch AS a\nCOPY --from=b /x /x\nFROM scratch AS b\nCOPY --from=a /x /x\n' },
  {
    name: 'forward-copy',
    dockerfile: 'FROM scratch AS a\nCOPY --from=b /x /x\nFROM scratch AS b\nCOPY f /x\n',
    target: 'a',
  },
  { name: 'copy-with-one-argument', dockerfile: 'FROM scratch\nCOPY a\n' },
  { name: 'from-without-arguments', dockerfile: 'FROM\n' },
  { name: 'flag-without-value', dockerfile: 'FROM scratch\nCOPY --from a b\n' },
  { name: 'flag-twice', dockerfile: 'FROM scratch AS a\nFROM scratch\nCOPY --from=a --from=a a b\n' },
  { name: 'bad-modifier', dockerfile: 'ARG V\nFROM alpine:${V:1}\n' },
  { name: 'missing-brace', dockerfile: 'ARG V\nFROM alpine:${V\n' },
  { name: 'required-variable', dockerfile: 'FROM alpine:${V:?set-V}\n' },
  { name: 'bad-reference', dockerfile: 'FROM alpine:\n' },
  { name: 'from-heeds-case', dockerfile: 'FROM scratch AS build\nFROM Build\n' },
  { name: 'scratch-in-capitals', dockerfile: 'FROM SCRATCH\nCOPY f /f\n' },
  { name: 'bad-platform', dockerfile: 'FROM --platform=a/b/c/d alpine\n' },
  { name: 'empty-platform', dockerfile: 'FROM --platform=$NOTHING alpine\n' },
  { name: 'unterminated-heredoc', dockerfile: 'FROM scratch\nCOPY <<EOF /f\nhello\n' },
  { name: 'heredoc-as-destination', dockerfile: 'FROM scratch\nCOPY f <<EOF\nhello\nEOF\n' },
  { name: 'bad-escape-directive', dockerfile: '# escape=x\nFROM scratch\n' },
  { name: 'directive-twice', dockerfile: '# escape=`\n# escape=`\nFROM scratch\n' },
  { name: 'missing-target', dockerfile: 'FROM scratch AS builder\nCOPY f /f\n', target: 'bilder' },
  { name: 'number-as-target', dockerfile: 'FROM scratch AS builder\nCOPY f /f\n', target: '0' },
]
