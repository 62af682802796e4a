/** One step of the bundled action on a workspace's files, with the stand-in images mapped, as the engine tests build. */
import { runStep, type ActionResult, type Annotation } from './action.ts'
import { docker, type Workspace } from './engine.ts'

export interface Size {
  readonly total: number
  readonly own: number
  readonly inherited: number
}

export interface StepImage {
  readonly tags: readonly string[]
  readonly digest: string | null
  readonly imageid: string | null
  readonly sizes: Readonly<Record<string, { readonly transfer: Size; readonly unpacked: Size }>>
}

export interface Step extends ActionResult {
  readonly images: Readonly<Record<string, StepImage>>
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

export interface StepOptions {
  readonly inputs?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** The stand-ins of the rig, as lines of `external-images`. */
export function standInLines(): string {
  return process.env['STAGE_BUILD_EXTERNAL_IMAGES'] ?? ''
}

/** Runs the step and its post step. @throws when either leaves a file in RUNNER_TEMP or prints to stderr. */
export async function step(space: Workspace, options: StepOptions = {}): Promise<Step> {
  const { main, post } = await runStep({
    inputs: { 'external-images': standInLines(), ...options.inputs },
    workspace: space.directory,
    env: options.env,
  })
  const left = [...main.leftovers, ...post.leftovers]
  if (post.code !== 0 || left.length > 0) throw new Error(`left behind: ${left.join(', ')}\n${post.stdout}`)
  if (main.stderr !== '') throw new Error(`on stderr: ${main.stderr}`)
  return {
    ...main,
    images: JSON.parse(main.outputs['images'] ?? '{}') as Step['images'],
    errors: told(main.annotations, 'error'),
    warnings: told(main.annotations, 'warning'),
  }
}

/** Runs a step that must succeed. @throws with its log when it does not. */
export async function builds(space: Workspace, options: StepOptions = {}): Promise<Step> {
  const result = await step(space, options)
  if (result.code !== 0) throw new Error(`the step failed:\n${result.stdout}`)
  return result
}

/** Removes from the engine what was pushed to a registry: with its containerd store, docker keeps a copy of it. */
export async function forgetImages(host: string): Promise<void> {
  const names = (await docker('image', 'ls', '--format={{.Repository}}:{{.Tag}}')).split('\n')
  const ours = names.filter((name) => name.startsWith(`${host}/`) && !name.endsWith(':<none>'))
  if (ours.length > 0) await docker('image', 'rm', '--force', ...ours)
}

/** Text that no earlier run has built, and that an image's name may hold. */
export function fresh(): string {
  return `${process.pid}-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e9).toString(36)}`
}

function told(annotations: readonly Annotation[], level: Annotation['level']): readonly string[] {
  return annotations
    .filter((annotation) => annotation.level === level)
    .map(
      ({ file, line, title, message }) => `${file === undefined ? (title ?? '') : `${file}:${line ?? ''}`}: ${message}`,
    )
}
