/** Steps of jobs that hand texts over, with the real `@actions/artifact` and a folder of their own each. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  fetchTexts,
  uploadText,
  type FetchOutcome,
  type HandoverOptions,
  type UploadOutcome,
} from '../../src/handover/artifacts.ts'
import type { ArtifactPlace } from '../../src/handover/handover-protocol.ts'

export interface ArtifactStep extends AsyncDisposable {
  /** What the toolkit printed. */
  readonly lines: readonly string[]
  readonly folder: string
  upload(name: string, text: string): Promise<UploadOutcome>
  fetch(...places: readonly ArtifactPlace[]): Promise<FetchOutcome>
}

const CLIENT = join(import.meta.dirname, '../../src/handover/artifact-client.ts')

/** @param env as `ArtifactService.env` gives it */
export async function artifactStep(
  env: Readonly<Record<string, string>>,
  options: Pick<HandoverOptions, 'timeoutMs' | 'limits'> = {},
): Promise<ArtifactStep> {
  const root = await mkdtemp(join(tmpdir(), 'artifact-step-'))
  const folder = join(root, 'handover')
  const lines: string[] = []
  const all: HandoverOptions = {
    env: { PATH: process.env['PATH'], ...env },
    clientPath: CLIENT,
    folder,
    debug: (line) => lines.push(line),
    ...options,
  }
  return {
    ...{ lines, folder },
    upload: async (name, text) => await uploadText({ name, text, retentionDays: 3 }, all),
    fetch: async (...places) => await fetchTexts(places, all),
    [Symbol.asyncDispose]: async () => {
      await rm(root, { recursive: true, force: true })
    },
  }
}
