/**
 * What a real BuildKit frontend (Docker 28.5.2) said to some 600 Dockerfiles, recorded with
 * `__tests__/support/record-answers.ts`. `alpine` and `busybox` were named contexts, so that no registry was asked;
 * `missingImage` is one that BuildKit then looked for: the stage was resolved to exactly that image.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { normalizeReference } from '../../src/images/reference.ts'
import { errorsFor, externalImages, stagesOf } from '../../src/graph/reachability.ts'
import { resolveText } from '../support/graph-outline.ts'

interface Answer {
  name: string
  dockerfile: string
  args?: Record<string, string>
  target?: string
  contexts?: string[]
  error?: string
  missingImage?: string
  warnings?: string[]
}

const answers = JSON.parse(readFileSync(new URL('../cases/frontend-answers.json', import.meta.url), 'utf8')) as Answer[]

/** A flag that the frontend does not know is a warning here, not an error. */
const ONLY_WARNED = new Set(['run-flag-unknown', 'flag-nbsp', 'onbuild-7'])

const RULES = new Set([
  ...['FromAsCasing', 'StageNameCasing', 'DuplicateStageName', 'InvalidDefaultArgInFrom', 'ReservedStageName'],
  ...['UndefinedArgInFrom', 'NoEmptyContinuation'],
])

describe.each(answers)('$name', (answer) => {
  const { graph, errors, warnings, target } = resolveText(answer.dockerfile, {
    buildArgs: answer.args ?? {},
    target: answer.target,
    contexts: [...(answer.contexts ?? []), 'alpine', 'busybox'],
  })
  const counting = errorsFor(errors, graph, target === undefined ? [] : [target])
  const onlyWarned = ONLY_WARNED.has(answer.name)

  test('says what BuildKit says', () => {
    if (!onlyWarned) expect(counting[0]?.message).toBe(answer.error)
    // A trigger's unknown flag is said by nobody before the build.
    else if (answer.name !== 'onbuild-7') expect(warnings.map(({ rule }) => rule)).toContain('UnknownFlag')
  })

  test('looks for the image that BuildKit looked for', () => {
    if (answer.missingImage === undefined || graph === undefined || target === undefined) return
    const images = externalImages(graph, answer.target === undefined ? undefined : stagesOf(graph, target))
    expect(images.map(({ image }) => image)).toContain(normalizeReference(answer.missingImage))
  })

  test('warns of what BuildKit warns of', () => {
    const found = warnings.filter(({ rule }) => RULES.has(rule)).map(({ rule, message }) => `${rule}: ${message}`)
    if (!onlyWarned) expect(found.sort()).toEqual(answer.warnings ?? [])
  })
})
