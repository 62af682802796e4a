/** Reasons as a person wants them: what differs, where it stands, what it was before. */
import { describe, expect, test } from '@jest/globals'
import { reasonsOf } from '../../src/plan/compare.ts'
import type { FileList } from '../../src/plan/file-lists.ts'
import type { PlanReason } from '../../src/plan/plan.ts'
import { printed, type PrintCase, type Printed } from '../support/prints.ts'

const IMG = 'docker.io/library/img:latest'
const OLD = `sha256:${'0'.repeat(64)}`
const NEW = `sha256:${'f'.repeat(64)}`

interface Case {
  readonly before: string
  /** Default: as before. */
  readonly now?: string
  readonly with?: PrintCase
  readonly nowWith?: PrintCase
}

function reasons({ before, now = before, with: options = {}, nowWith = options }: Case): readonly PlanReason[] {
  return reasonsOf(compared(printed(before, options), options), compared(printed(now, nowWith), nowWith))
}

/** Every digest stands for all files of the case. */
function compared({ target }: Printed, { files = {} }: PrintCase) {
  const list: FileList = new Map(Object.entries(files).map(([path, content]) => [path.replace(/^\//, ''), content]))
  return { print: target, filesOf: () => list }
}

const ROWS: readonly [what: string, change: Case, expected: readonly PlanReason[]][] = [
  [
    'a file',
    { before: 'FROM img\nCOPY a b /\n', with: { files: { '/a': '1', '/b': '1' } }, nowWith: { files: { '/a': '2', '/b': '1' } } },
    [{ kind: 'file', stage: 0, line: 2, text: 'a changed' }],
  ],
  [
    'files of a named context',
    {
      before: 'FROM img\nCOPY --from=ctx / /\n',
      with: { files: { 'ctx:/a': '1' }, contexts: { ctx: undefined } },
      nowWith: { files: { 'ctx:/a': '2' }, contexts: { ctx: undefined } },
    },
    [{ kind: 'file', stage: 0, line: 2, text: 'ctx:/a changed (context ctx)' }],
  ],
  ['an instruction', { before: 'FROM img\nRUN make\n', now: 'FROM img\n\nRUN make  all\n' }, [{ kind: 'instruction', stage: 0, line: 3, text: 'RUN make all changed' }]],
  ['a new instruction', { before: 'FROM img\nRUN a\n', now: 'FROM img\nRUN a\nLABEL a=b\n' }, [{ kind: 'instruction', stage: 0, line: 3, text: 'LABEL a=b is new' }]],
  ['an instruction that is gone', { before: 'FROM img\nRUN a\nLABEL a=b\n', now: 'FROM img\nRUN a\n' }, [{ kind: 'instruction', stage: 0, line: 1, text: 'LABEL a=b is gone' }]],
  ['an instruction of another kind', { before: 'FROM img\nCOPY a /\n', now: 'FROM img\nRUN a\n' }, [{ kind: 'instruction', stage: 0, line: 2, text: 'RUN a is new' }]],
  ['a build argument', { before: 'FROM img\nARG V\nRUN x\n', with: { args: { V: '1' } }, nowWith: { args: { V: '2' } } }, [{ kind: 'arg', stage: 0, line: 2, text: 'argument V changed' }]],
  ['a build argument that is given now', { before: 'FROM img\nARG V\nRUN x\n', with: { args: { W: '1' } }, nowWith: { args: { V: '2' } } }, [{ kind: 'arg', stage: 0, line: 2, text: 'argument V changed' }]],
  ['a build argument that no RUN sees', { before: 'FROM img\nARG V\nCOPY a /\n', with: { args: { V: '1' } }, nowWith: { args: { V: '2' } } }, [{ kind: 'arg', stage: 0, line: 2, text: 'argument V changed' }]],
  ['one of two arguments that no RUN sees', { before: 'FROM img\nARG A=1 V\nCOPY a /\n', with: { args: { V: '1' } }, nowWith: { args: { V: '2' } } }, [{ kind: 'arg', stage: 0, line: 2, text: 'argument V changed' }]],
  ['a build argument in a path', { before: 'FROM img\nARG V\nCOPY a /$V\n', with: { args: { V: '1' } }, nowWith: { args: { V: '2' } } }, [{ kind: 'arg', stage: 0, line: 2, text: 'argument V changed' }]],
  ['a default in the file', { before: 'FROM img\nARG V=1\nRUN x\n', now: 'FROM img\nARG V=2\nRUN x\n' }, [{ kind: 'instruction', stage: 0, line: 2, text: 'ARG V=2 changed' }]],
  ['a default of a stage that is only copied from', { before: 'FROM img AS a\nARG V=1\nRUN x\nFROM img\nCOPY --from=a / /\n', now: 'FROM img AS a\nARG V=2\nRUN x\nFROM img\nCOPY --from=a / /\n' }, [{ kind: 'arg', stage: 0, line: 2, text: 'argument V changed' }]],
  [
    'the base image',
    { before: 'FROM img\nRUN x\n', with: { images: { [IMG]: OLD } }, nowWith: { images: { [IMG]: NEW } } },
    [{ kind: 'base-image', stage: 0, line: 1, text: `${IMG}: sha256:${'0'.repeat(12)} → sha256:${'f'.repeat(12)}` }],
  ],
  [
    'another base image',
    { before: 'FROM img\nRUN x\n', now: 'FROM other:1\nRUN x\n', nowWith: { images: { 'docker.io/library/other:1': NEW } } , with: { images: { [IMG]: OLD } } },
    [{ kind: 'base-image', stage: 0, line: 1, text: `${IMG} → docker.io/library/other:1: sha256:${'0'.repeat(12)} → sha256:${'f'.repeat(12)}` }],
  ],
  [
    'an image that files are copied from',
    { before: 'FROM scratch\nCOPY a /\nCOPY --from=img /x /\n', with: { images: { [IMG]: OLD } }, nowWith: { images: { [IMG]: NEW } } },
    [{ kind: 'base-image', stage: 0, line: 3, text: `${IMG}: sha256:${'0'.repeat(12)} → sha256:${'f'.repeat(12)}` }],
  ],
  ['an option of the image', { before: 'FROM img\n', with: { image: { compression: 'gzip' } }, nowWith: { image: { compression: 'zstd' } } }, [{ kind: 'option', text: '`compression` changed' }]],
  ['an option of the build', { before: 'FROM img\nCOPY a /\nRUN x\n', nowWith: { runOptions: [['shm-size', '1g']] } }, [{ kind: 'option', text: '`shm-size` changed' }]],
  ['the frontend', { before: 'FROM img\nCOPY a /\n', with: { options: [['syntax', OLD]] }, nowWith: { options: [['syntax', NEW]] } }, [{ kind: 'option', text: '`syntax` changed' }]],
  ['the platform', { before: 'FROM img\n', with: { platform: 'linux/amd64' }, nowWith: { platform: 'linux/arm64' } }, [{ kind: 'platform', text: 'platforms linux/amd64 → linux/arm64' }]],
  ['the platform of a stage', { before: 'FROM --platform=linux/amd64 img\n', now: 'FROM --platform=linux/arm64 img\n' }, [{ kind: 'platform', stage: 0, line: 1, text: 'the platform linux/amd64 is linux/arm64 now' }]],
  [
    'through stages, once, the deepest alone',
    {
      before: 'FROM img AS deps\nCOPY lock /\nRUN install\nFROM deps AS build\nRUN make\nFROM img\nCOPY --from=build /a /\nCOPY --from=deps /b /\n',
      with: { files: { '/lock': '1' } },
      nowWith: { files: { '/lock': '2' } },
    },
    [{ kind: 'file', stage: 0, line: 2, text: 'lock changed' }],
  ],
  ['a label of the stage beneath', { before: 'FROM img AS a\nLABEL v=1\nFROM a\n', now: 'FROM img AS a\nLABEL v=2\nFROM a\n' }, [{ kind: 'instruction', stage: 0, line: 2, text: 'LABEL v=2 changed' }]],
  [
    'not the label of a stage that is only copied from',
    {
      before: 'FROM img AS a\nLABEL v=1\nCOPY x /\nFROM img\nCOPY --from=a / /\n',
      now: 'FROM img AS a\nLABEL v=2\nCOPY x /\nFROM img\nCOPY --from=a / /\n',
      with: { files: { '/x': '1' } },
      nowWith: { files: { '/x': '2' } },
    },
    [{ kind: 'file', stage: 0, line: 3, text: 'x changed' }],
  ],
  ['a heredoc', { before: 'FROM img\nRUN <<E\na\nE\n', now: 'FROM img\nRUN <<E\nb\nE\n' }, [{ kind: 'instruction', stage: 0, line: 2, text: 'RUN <<E changed' }]],
  ['a variable in a heredoc', { before: 'FROM img AS a\nARG V\nCOPY <<E /x\n$V\nE\nFROM img\nCOPY --from=a / /\n', with: { args: { V: '1' } }, nowWith: { args: { V: '2' } } }, [{ kind: 'arg', stage: 0, line: 2, text: 'argument V changed' }]],
  ['a moved stage', { before: 'FROM img AS a\nRUN a\nFROM img\nCOPY --from=a / /\n', now: 'FROM other AS o\nFROM img AS a\nRUN b\nFROM img\nCOPY --from=a / /\n' }, [{ kind: 'instruction', stage: 1, line: 3, text: 'RUN b changed' }]],
  ['several at once', { before: 'FROM img\nARG V\nCOPY a /\nRUN x\n', with: { args: { V: '1' }, files: { '/a': '1' }, images: { [IMG]: OLD } }, nowWith: { args: { V: '2' }, files: { '/a': '2' }, images: { [IMG]: NEW } } }, [
    { kind: 'base-image', stage: 0, line: 1, text: `${IMG}: sha256:${'0'.repeat(12)} → sha256:${'f'.repeat(12)}` },
    { kind: 'arg', stage: 0, line: 2, text: 'argument V changed' },
    { kind: 'file', stage: 0, line: 3, text: 'a changed' },
  ]],
  ['a base by another name', { before: 'FROM img\nRUN x\n', now: 'FROM other\nRUN x\n', with: { images: { [IMG]: OLD, 'docker.io/library/other:latest': OLD } } }, [
    { kind: 'base-image', stage: 0, line: 1, text: `${IMG} → docker.io/library/other:latest, the same image` },
  ]],
  ['a file that is read from another stage now', { before: 'FROM img AS a\nFROM img\nCOPY x /\n', now: 'FROM img AS a\nFROM img\nCOPY --from=a x /\n' }, [{ kind: 'instruction', stage: 1, line: 3, text: 'COPY --from=a x / changed' }]],
  ['an ENV of a stage beneath', { before: 'FROM img AS a\nARG V\nENV E=$V\nFROM a\nRUN x\n', with: { args: { V: '1' } }, nowWith: { args: { V: '2' } } }, [
    { kind: 'arg', stage: 0, line: 2, text: 'argument V changed' },
    { kind: 'arg', stage: 0, line: 3, text: 'argument E changed' },
  ]],
] // prettier-ignore

describe('reasons', () => {
  test.each(ROWS)('%s', (_what, change, expected) => {
    expect([...reasons(change)].sort(byText)).toEqual([...expected].sort(byText))
  })

  test('nothing differs', () => {
    expect(reasons({ before: 'FROM img\nARG V=1\nCOPY a /\nRUN x\n' })).toEqual([])
  })

  test('whenever the fingerprint differs, there is a reason', () => {
    const lines = [
      'ARG V=1',
      'ENV E=1',
      'COPY a /',
      'RUN x',
      'USER u',
      'WORKDIR /w',
      'LABEL a=b',
      'SHELL ["s"]',
      'CMD c',
    ]
    const texts = lines.flatMap((line) => lines.map((other) => `FROM img AS a\n${line}\n${other}\nFROM a\nRUN y\n`))
    const prints = texts.map((text) => ({ text, print: compared(printed(text), {}) }))
    const untold = prints.flatMap((before) =>
      prints.flatMap((now) =>
        before.print.print.fingerprint !== now.print.print.fingerprint &&
        reasonsOf(before.print, now.print).length === 0
          ? [[before.text, now.text]]
          : [],
      ),
    )
    expect(untold).toEqual([])
  })
})

function byText(a: PlanReason, b: PlanReason): number {
  return a.text < b.text ? -1 : 1
}
