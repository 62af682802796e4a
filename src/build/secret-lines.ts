/** Secrets as bake is told of them: values go through the environment or a file of the run's own, never through arguments. */
import { join, resolve } from 'node:path'
import type { SecretSource } from './build-request.ts'
import { csvField } from './buildx.ts'

/** Linux refuses longer strings in an environment (MAX_ARG_STRLEN, 128 KiB); the variable's name counts. */
const LONGEST_VARIABLE = 120 * 1024

/** The secrets of one run; each list of them once, however many targets have it. */
export class SecretPlans {
  /** Values, for the child's environment only. */
  readonly env: Record<string, string> = {}
  /** Values too long for an environment variable; paths are relative to the private directory. */
  readonly files: { readonly path: string; readonly content: string }[] = []
  readonly #workspace: string
  readonly #privateDir: string
  readonly #known = new Map<readonly SecretSource[], readonly string[]>()
  #count = 0

  /** @param privateDir a directory that only this user can read */
  constructor(workspace: string, privateDir: string) {
    this.#workspace = workspace
    this.#privateDir = privateDir
  }

  /** Lines for bake. */
  of(secrets: readonly SecretSource[]): readonly string[] {
    const lines = this.#known.get(secrets) ?? secrets.map((secret) => this.#line(secret))
    this.#known.set(secrets, lines)
    return lines
  }

  #line(secret: SecretSource): string {
    const index = this.#count++
    const id = csvField(`id=${secret.id}`)
    if (secret.kind === 'env') return `type=env,${id},${csvField(`env=${secret.env}`)}`
    if (secret.kind === 'file') return `type=file,${id},${csvField(`src=${resolve(this.#workspace, secret.path)}`)}`
    if (Buffer.byteLength(secret.value) > LONGEST_VARIABLE || secret.value.includes('\0')) {
      const path = `secret-${index}`
      this.files.push({ path, content: secret.value })
      return `type=file,${id},${csvField(`src=${join(this.#privateDir, path)}`)}`
    }
    const name = `STAGE_BUILD_SECRET_${index}`
    this.env[name] = secret.value
    return `type=env,${id},env=${name}`
  }
}
