// Stands in for the bundle in action.test.ts: does what an action does, with the same toolkit.
import * as core from '@actions/core'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

if (core.getState('isPost') === 'true') {
  core.info(`post of ${core.getState('text')}`)
} else {
  core.saveState('isPost', 'true')
  core.saveState('text', 'two\nlines')
  core.setOutput('plan', core.getInput('targets'))
  core.setOutput('matrix', `${process.cwd()}|${core.getInput('push')}|${core.getInput('github-token')}`)
  core.setSecret('hush%\n')
  core.error('50%: no\nsuch thing', { file: 'a,b:c/Dockerfile', startLine: 3, endLine: 4, title: 'T' })
  console.log('::stop-commands::tok')
  core.warning('not heard')
  console.log('::tok::')
  core.notice('heard')
  writeFileSync(join(process.env.RUNNER_TEMP, 'left'), '')
  await core.summary.addRaw('# Sum').write()
  console.error(process.env.GITHUB_TOKEN ?? 'no token')
  process.exitCode = 3
}
