/** Runs the bundled action on files and inputs that must not build, and hands back what a user then reads. */
import { runStep, type ActionResult, type Annotation } from './action.ts'
import { workspace } from './engine.ts'

export interface Attempt {
  readonly files?: Readonly<Record<string, string>>
  readonly inputs?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  readonly onLog?: (text: string) => void
}

export interface Told extends ActionResult {
  /** `Dockerfile:3: message` of each error, in order; `Input x: message` where there is no file. */
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

/** An engine that nobody serves: whoever asks it fails. */
export const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' }

/**
 * The step with its post step.
 * @throws when either leaves a file in RUNNER_TEMP, prints to stderr, or shows a stack.
 */
export async function attempt({ files = {}, inputs = {}, ...options }: Attempt): Promise<Told> {
  await using space = await workspace(files)
  const images = process.env['STAGE_BUILD_EXTERNAL_IMAGES'] ?? ''
  const { main, post } = await runStep({
    inputs: { 'external-images': images, ...inputs },
    workspace: space.directory,
    ...options,
  })
  if (post.code !== 0) throw new Error(`the post step ended with ${post.code}: ${post.stdout}`)
  const left = [...main.leftovers, ...post.leftovers]
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`)
  if (main.stderr !== '') throw new Error(`on stderr: ${main.stderr}`)
  if (/^\s+at .*:\d+:\d+\)?$/m.test(main.stdout)) throw new Error(`a stack: ${main.stdout}`)
  return { ...main, errors: told(main.annotations, 'error'), warnings: told(main.annotations, 'warning') }
}

function told(annotations: readonly Annotation[], level: Annotation['level']): readonly string[] {
  return annotations
    .filter((annotation) => annotation.level === level)
    .map(
      ({ file, line, title, message }) => `${file === undefined ? (title ?? '') : `${file}:${line ?? ''}`}: ${message}`,
    )
}
