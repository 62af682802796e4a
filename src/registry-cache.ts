/**
 * Caches that the user names with `cache-to` and `cache-from`: BuildKit keeps them itself. Each target has its own, for an
 * export replaces what was there. Pure.
 */
import { csvFields } from './dockerfile/csv.ts'
import type { Problem } from './errors.ts'
import type { Inputs } from './inputs.ts'

/** Whether one of these lines names a registry. */
export function namesRegistryCache(lines: readonly string[]): boolean {
  return lines.some((line) => registryRef(line) !== undefined)
}

/** Where BuildKit's cache is in registries, `{target}` as written. */
export function registryRefs(lines: readonly string[]): readonly string[] {
  return [...new Set(lines.flatMap((line) => registryRef(line) ?? []))]
}

/** What is imported: what the user names, or else what is exported. */
export function importsOf({ cacheFrom, cacheTo }: Pick<Inputs, 'cacheFrom' | 'cacheTo'>): readonly string[] {
  return cacheFrom.length > 0 ? cacheFrom : registryRefs(cacheTo).map((ref) => `type=registry,ref=${ref}`)
}

/** What several targets would export to, one over the other. */
export function sharedCaches(
  { cacheTo }: Pick<Inputs, 'cacheTo'>,
  targets: readonly { readonly name: string }[],
): readonly Problem[] {
  if (targets.length < 2) return []
  return registryRefs(cacheTo)
    .filter((ref) => !ref.includes('{target}'))
    .map((ref) => ({
      input: 'cache-to',
      message: `\`cache-to\`: ${targets.length} targets would each write their cache to \`${ref}\`, one over the other.`,
      mend: `Put \`{target}\` into it: \`ref=${withTarget(ref)}\`.`,
    }))
}

/** A tag, or an image name without one, made one for each target. */
function withTarget(ref: string): string {
  return /:[^/:]*$/.test(ref) ? `${ref}-{target}` : `${ref}:{target}`
}

/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/cache.go: a bare reference is one in a registry. */
function registryRef(line: string): string | undefined {
  let fields: readonly string[]
  try {
    fields = csvFields(line)
  } catch {
    return undefined // buildx says what is wrong with it
  }
  if (fields.every((field) => !field.includes('='))) return fields.length === 1 ? fields[0] : undefined
  const valueOf = (name: string): string | undefined =>
    fields
      .find((field) => field.trim().toLowerCase().startsWith(`${name}=`))
      ?.trim()
      .slice(name.length + 1)
  return valueOf('type') === 'registry' ? valueOf('ref') : undefined
}
