/**
 * The runner: the only importer of `@actions/core`. Inputs, outputs, state, masks, annotations and the job summary
 * pass through here; what they mean does not.
 */
import * as core from '@actions/core'
import { appendFile } from 'node:fs/promises'
import type { Annotation } from './report/annotations.ts'

/** The runner's services that the action uses. A parameter everywhere, so that nothing reads the environment itself. */
export interface Runner {
  input(name: string): string
  setOutput(name: string, value: string): void
  saveState(name: string, value: string): void
  state(name: string): string
  /** Hides a value in everything that the runner logs from now on. */
  mask(value: string): void
  /** Appends Markdown to the job summary; does nothing where there is none. */
  appendSummary(markdown: string): Promise<void>
  annotate(annotation: Annotation): void
  notice(message: string): void
  log(line: string): void
  debug(line: string): void
  /** Marks the step as failed without ending the process. */
  fail(): void
}

/** The GitHub Actions runner around this process. */
export function githubRunner(env: NodeJS.ProcessEnv): Runner {
  return {
    input: (name) => core.getInput(name),
    setOutput: (name, value) => {
      core.setOutput(name, value)
    },
    saveState: (name, value) => {
      core.saveState(name, value)
    },
    state: (name) => core.getState(name),
    mask: (value) => {
      core.setSecret(value)
    },
    appendSummary: async (markdown) => {
      const file = env['GITHUB_STEP_SUMMARY']
      if (file !== undefined && file !== '') await appendFile(file, markdown)
    },
    annotate: ({ level, message, ...place }) => {
      const properties = propertiesOf(place)
      if (level === 'error') core.error(message, properties)
      else core.warning(message, properties)
    },
    notice: (message) => {
      core.notice(message)
    },
    log: (line) => {
      core.info(harmless(line))
    },
    debug: (line) => {
      core.debug(line)
    },
    fail: () => {
      process.exitCode = core.ExitCode.Failure
    },
  }
}

/**
 * Text of which no line is a command to the runner, which reads `::name::` at the start of a line and `##[name]`
 * anywhere. What a build prints is made harmless before; this holds for names of files and targets, too.
 * https://github.com/actions/runner/blob/079cdb1d05fe0ec50f8c51de5a4fa51d0eb189b0/src/Runner.Common/ActionCommand.cs
 */
export function harmless(text: string): string {
  return text.replaceAll(/(^|[\r\n])(\s*):(?=:)/g, '$1$2\u200b:').replaceAll('##[', '#\u200b#[')
}

function propertiesOf({
  title,
  file,
  startLine,
  endLine,
}: Omit<Annotation, 'level' | 'message'>): core.AnnotationProperties {
  return {
    title,
    ...(file === undefined ? {} : { file }),
    ...(startLine === undefined ? {} : { startLine }),
    ...(endLine === undefined ? {} : { endLine }),
  }
}
