/** Which cache mounts a Dockerfile has, told apart as BuildKit does. */
import { describe, expect, test } from '@jest/globals'
import { mergeGraphs } from '../../src/graph/merge.ts'
import { mountUses, namedMounts, type MountUses } from '../../src/mounts/mount-uses.ts'
import { graphOf } from '../support/graph-outline.ts'

function usesOf(text: string, namespace = ''): MountUses {
  const graph = graphOf(text)
  return mountUses(graph, [graph.defaultTarget], namespace)
}

/** Mounts of one RUN in `FROM img`. */
function mounts(...flags: readonly string[]): MountUses {
  return usesOf(`FROM img\nRUN ${flags.map((flag) => `--mount=type=cache,${flag}`).join(' ')} x\n`)
}

/** Whether BuildKit takes two mounts for one. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [mounts(one), mounts(other)]
  return a.kept.length === 1 && a.kept[0]?.key === b.kept[0]?.key
}

describe('cache mounts', () => {
  test('are called by their id, or else by their target as it would be cleaned', () => {
    const { kept } = mounts('target=/root/.npm/', 'id=go,target=/x', 'target=rel/../a//b', 'target=/var//cache/../lib')
    expect(kept.map(({ id }) => id)).toEqual(['/root/.npm', 'go', 'a/b', '/var/lib'])
  })

  test.each([
    ['id=a,target=/x', 'id=a,target=/y', true],
    ['id=/x,target=/y', 'target=/x', true],
    ['target=/x', 'target=/x,sharing=locked', true],
    ['target=/x', 'target=/x,readonly', true],
    ['target=/x', 'target=/x,from=scratch', true],
    ['target=/x', 'target=/y', false],
    ['target=/x', 'target=/x,uid=0', false],
    ['target=/x,uid=0', 'target=/x,gid=0', true],
    ['target=/x,uid=0', 'target=/x,mode=755', true],
    ['target=/x,mode=0755', 'target=/x,mode=755', true],
    ['target=/x,mode=0700', 'target=/x,mode=755', false],
    ['target=/x,uid=1', 'target=/x,uid=1,source=/', true],
    ['target=/x', 'target=/x,uid=1,source=/part', true],
  ])('%s and %s: %s', (one, other, same) => {
    expect(isSame(one, other)).toBe(same)
  })

  test('of another namespace are others', () => {
    const text = 'FROM img\nRUN --mount=type=cache,target=/x y\n'
    expect(usesOf(text, 'ns').kept[0]?.key).not.toBe(usesOf(text).kept[0]?.key)
  })

  test('of one identity are one, with all the places that use it in stages that are needed', () => {
    const { kept } = usesOf(
      [
        'FROM img AS other\nRUN --mount=type=cache,target=/unused x',
        'FROM img AS a\nARG ID=go\nRUN --mount=type=cache,id=$ID,target=/a,ro x',
        'FROM img\nCOPY --from=a / /\nRUN --mount=type=cache,id=go,target=/b --mount=type=tmpfs,target=/t x\n',
      ].join('\n'),
    )
    expect(kept).toMatchObject([
      { id: 'go', isWritten: true, steps: [{ stage: 1, line: 5 }, { stage: 2, line: 8 }] },
    ]) // prettier-ignore
    expect(mounts('target=/x,readonly').kept).toMatchObject([{ isWritten: false }])
  })

  test.each([
    ['target=/x,from=img,source=/etc', 'content'],
    ['id=a*b,target=/x', 'name'],
    ['id=[a],target=/x', 'name'],
    ['target=/ü', 'name'],
    [`target=/${'l'.repeat(500)}`, 'name'],
  ])('%s is left: its %s', (flag, why) => {
    expect(mounts(flag)).toMatchObject({ kept: [], left: [{ why, line: 2 }] })
    expect(mounts(flag, 'target=/fine').kept).toMatchObject([{ id: '/fine' }])
  })

  test.each(["'$HOME'", "'a,uid=7'", "'a b'", "'a\"b'", String.raw`'a\b'`, "'a`b'", "''$'\\n'"])(
    'is left where an argument makes its id %s',
    (value) => {
      const { kept, left } = usesOf(`FROM img\nARG ID=${value}\nRUN --mount=type=cache,id=$ID,target=/x y\n`)
      expect({ kept, left }).toMatchObject({ kept: [], left: [{ why: 'name', line: 3 }] })
    },
  )

  test('where a stage is called scratch begin with it', () => {
    const { kept, left } = usesOf('FROM img AS scratch\nFROM img\nRUN --mount=type=cache,target=/x y\n')
    expect({ kept, left }).toMatchObject({ kept: [], left: [{ why: 'content' }] })
  })

  test('whose id holds the platform are there for each', () => {
    const text = 'FROM img\nARG TARGETARCH\nRUN --mount=type=cache,id=go-$TARGETARCH,target=/x y\n'
    const graph = mergeGraphs([graphOf(text, { platform: 'linux/amd64' }), graphOf(text, { platform: 'linux/arm64' })])
    const { kept } = mountUses(graph, [0], '')
    expect(kept.map(({ id }) => id)).toEqual(['go-amd64', 'go-arm64'])
    expect(namedMounts(graph, '')).toEqual(new Set(kept.map(({ key }) => key)))
  })
})
