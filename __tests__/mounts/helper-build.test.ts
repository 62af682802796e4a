/** The helper's Dockerfile is read by BuildKit's rules as it was meant, whatever a Dockerfile calls its mounts. */
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { helperContext, helperDockerfile, putInScript, takeOutScript } from '../../src/mounts/helper-build.ts'
import { mountUses } from '../../src/mounts/mount-uses.ts'
import { librariesIn } from '../../src/mounts/helper-root.ts'
import { runProcess } from '../../src/process.ts'
import { graphOf, resolveText } from '../support/graph-outline.ts'

const TOKEN = '0123456789abcdefi'

describe('the helper', () => {
  test('mounts what the Dockerfile mounts, and nothing else', () => {
    const characters = fc.constantFrom(...'abZ09_@%+=:./~-'.split(''))
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            id: fc.oneof(
              fc.string({ unit: characters, minLength: 1, maxLength: 20 }),
              fc.string({ unit: 'binary', maxLength: 8 }),
            ),
            uid: fc.option(fc.nat(70_000), { nil: undefined }),
            mode: fc.option(fc.nat(0o7777), { nil: undefined }),
          }),
          { maxLength: 5 },
        ),
        (given) => {
          const permissions = given.map(({ uid, mode }) =>
            uid === undefined && mode === undefined ? undefined : { uid: uid ?? 0, gid: 0, mode: mode ?? 0o755 },
          )
          const empty = graphOf('FROM img\nRUN x\n')
          const caches = given.map(({ id }, index) => ({
            ...{ id, target: '/x', readOnly: false, hasContent: false, permissions: permissions[index] },
          }))
          const graph = {
            ...empty,
            stages: empty.stages.map((stage) => ({
              ...stage,
              steps: stage.steps.map((step) => ({ ...step, caches })),
            })),
          }
          const { kept } = mountUses(graph, [0], '')
          if (kept.length === 0) return
          const mounts = kept.map((mount, index) => ({ mount, name: String(index) }))
          const text = helperDockerfile('put-in', { token: TOKEN, mounts, hasLine: false })
          expect(parseDockerfile(text).stages).toHaveLength(1)
          const resolved = resolveText(text, { contexts: [helperContext(TOKEN)] })
          expect(resolved.errors).toEqual([])
          const again = mountUses(graphOf(text, { contexts: [helperContext(TOKEN)] }), [0], '')
          expect(again.left).toEqual([])
          expect(again.kept.map(({ key }) => key)).toEqual(kept.map(({ key }) => key))
        },
      ),
    )
  })

  test.each([
    ['/bin/sh', undefined],
    ['/bin/bash', { port: 1, question: 'a', answer: 'b' }],
  ])('its scripts are such as %s can read', async (shell, line) => {
    const takeOut = takeOutScript([{ name: '0', usedSince: 1.5, madeSince: 2.25 }], { maxBytes: 1_000, line })
    for (const script of [takeOut, putInScript(['0', '1'], line)]) {
      const { code, stderr } = await runProcess(shell, ['-n'], { input: script })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(script.includes('/dev/tcp/127.0.0.1/1')).toBe(line !== undefined)
    }
    expect(takeOut).toContain('take 0 1 2.25\n')
    // Through a line it is counted where it arrives.
    expect(takeOut.includes('ulimit -f 2\n')).toBe(line === undefined)
  })

  test('takes along what a program is linked with', () => {
    const ldd = [
      '\tlinux-vdso.so.1 (0x00007fb395627000)',
      '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fb395377000)',
      '\tlibgone.so => not found',
      '\t/lib64/ld-linux-x86-64.so.2 (0x00007fb395629000)',
      '',
    ].join('\n')
    expect(librariesIn(ldd)).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2'])
    expect(librariesIn('\tnot a dynamic executable\n')).toEqual([])
  })
})
