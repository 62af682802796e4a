/** What must never be shown: the values of secrets, wherever they come from, taken out of every text. */
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SecretSource } from './build/build-request.ts'
import type { Runner } from './runner.ts'

/** Larger files are refused by BuildKit (500 KiB), so they are no secrets. */
const MAX_SECRET_BYTES = 512_000
/** Shorter lines of a secret of several lines (`}`) would take half the log with them. */
const SHORTEST_LINE = 4
const MASK = '***'

/** Collects the secrets' values, hides them from the runner's log, and returns what takes them out of a text. */
export async function hideSecrets(
  secrets: readonly SecretSource[],
  options: {
    readonly env: NodeJS.ProcessEnv
    readonly workspace: string
    readonly runner: Runner
    readonly token: string | undefined
  },
): Promise<(text: string) => string> {
  const values = await Promise.all(secrets.map(async (secret) => await valueOf(secret, options)))
  const pieces = [options.token, ...values].flatMap((value) => (value === undefined ? [] : piecesOf(value)))
  const distinct = [...new Set(pieces)].sort((a, b) => b.length - a.length)
  for (const piece of distinct) options.runner.mask(piece)
  return (text) => distinct.reduce((shown, piece) => shown.replaceAll(piece, MASK), text)
}

async function valueOf(
  secret: SecretSource,
  { env, workspace }: { readonly env: NodeJS.ProcessEnv; readonly workspace: string },
): Promise<string | undefined> {
  switch (secret.kind) {
    case 'value':
      return secret.value
    case 'env':
      return env[secret.env]
    case 'file':
      return await contentOf(resolve(workspace, secret.path))
  }
}

/** A file that cannot be read is told by the build, with its name; here there is nothing to hide then. */
async function contentOf(path: string): Promise<string | undefined> {
  try {
    return (await stat(path)).size > MAX_SECRET_BYTES ? undefined : await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The value, and each of its lines: the log is masked line by line. */
function piecesOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim())
  const [only] = lines.filter((line) => line !== '')
  if (only === undefined) return []
  return lines.filter((line) => line !== '').length === 1
    ? [only]
    : [value.trim(), ...lines.filter((line) => line.length >= SHORTEST_LINE)]
}
