/** Named contexts as they are given: is there what they name? What images they stand for is looked up by `context-images.ts`. */
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isAddress } from './build/definition.ts'
import { errorCode, type Problem } from './errors.ts'
import { readImageSource } from './images/image-source.ts'
import { shown } from './input-lists.ts'
import type { Inputs } from './inputs.ts'

/** Which of them docker would refuse at once, whether or not a Dockerfile uses them; in a bake file, told of its target. */
export async function missingContexts(inputs: Inputs, workspace: string): Promise<readonly Problem[]> {
  const isBake = inputs.bakeFiles.length > 0
  const found = await Promise.all(
    inputs.buildContexts.map(async ({ key, value }) => {
      // A layout may come from an earlier job, whose artifacts only the jobs that build have.
      const isLater = inputs.mode === 'plan' && value.startsWith(LAYOUT) && typeof readImageSource(value) !== 'string'
      const missing = isLater ? undefined : await missingContext(value, workspace)
      if (missing === undefined) return []
      const { why, mend } = missing
      const message = isBake
        ? `its context \`${shown(`${key}=${value}`)}\`: ${why}.`
        : `\`build-contexts\`: \`${shown(`${key}=${value}`)}\`: ${why}.`
      return [{ input: 'build-contexts', message, mend }]
    }),
  )
  return found.flat()
}

const LAYOUT = 'oci-layout://'

/** What is no directory for docker. https://github.com/docker/buildx/blob/v0.29.1/build/opt.go (loadInputs) */
const KNOWN_ADDRESS = /^(?:(?:https?|git|ssh|docker-image|oci-layout):\/\/|target:|git@)/

const NO_DIRECTORY = {
  why: 'there is no such directory',
  mend: 'Give a directory relative to the root of the checkout (one of a submodule is there with `submodules: true` of `actions/checkout`), or `docker-image://REF`, `oci-layout://PATH` or a Git address.',
}

async function missingContext(
  value: string,
  workspace: string,
): Promise<{ readonly why: string; readonly mend: string } | undefined> {
  if (value.startsWith(LAYOUT)) return await missingLayout(value, workspace)
  if (KNOWN_ADDRESS.test(value)) return undefined
  const kind = await kindOf(resolve(workspace, value))
  if (kind === 'directory') return undefined
  if (kind === 'other') return { ...NO_DIRECTORY, why: 'it is a file, not a directory' }
  if (kind === 'closed') return { ...NO_DIRECTORY, why: 'this job’s user may not look into it' }
  return isAddress(value)
    ? { ...NO_DIRECTORY, why: 'there is no such directory, and it is no address that docker knows' }
    : NO_DIRECTORY
}

/** Whether it holds the image is looked up later: its tag may be left out. */
async function missingLayout(
  value: string,
  workspace: string,
): Promise<{ readonly why: string; readonly mend: string } | undefined> {
  const mend =
    'Give the directory of an OCI layout relative to the root of the checkout, as in `oci-layout://PATH:TAG`, and check that an earlier step makes it.'
  const source = readImageSource(value)
  if (typeof source === 'string') return { why: source, mend }
  if (source.kind === 'registry') return undefined
  const path = resolve(workspace, source.path)
  if ((await kindOf(path)) !== 'directory') return { why: 'there is no such directory', mend }
  return (await kindOf(join(path, 'index.json'))) === 'absent'
    ? { why: 'the directory is no OCI layout: it has no `index.json`', mend }
    : undefined
}

/** What there is, links followed. Never rejects. */
async function kindOf(path: string): Promise<'directory' | 'other' | 'closed' | 'absent'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'other'
  } catch (error) {
    return errorCode(error) === 'EACCES' ? 'closed' : 'absent'
  }
}
