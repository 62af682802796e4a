import { expect, test } from '@jest/globals'
import { stageName } from '../../src/report/summary-data.ts'

test.each([
  ['its name', { name: 'base', index: 1, file: 'app/Dockerfile', line: 3 }, undefined, 'base'],
  ['its number', { name: undefined, index: 1 }, undefined, 'stage 1'],
  ['its place, by which those of two Dockerfiles differ', { name: null, index: 1, file: 'app/Dockerfile', line: 3 }, undefined, 'app/Dockerfile:3'],
  ['the end of its place', { name: null, index: 1, file: 'services/app/Dockerfile', line: 3 }, 17, '…app/Dockerfile:3'],
])('a stage is called by %s', (_name, stage, longest, called) => {
  expect(stageName(stage, longest)).toBe(called)
}) // prettier-ignore
