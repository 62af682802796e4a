/**
 * Named contexts: which key of `build-contexts` stands in for a stage or an image.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/config.go (NamedContext)
 */
import { familiarName, InvalidReferenceError } from '../images/reference.ts'
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import { formatPlatform, normalizePlatform, type Platform } from './platform.ts'

export class NamedContexts {
  /** By the name that is looked up; the value is the key as the user gave it. */
  readonly #keys = new Map<string, string>()

  constructor(keys: Iterable<string>) {
    for (const key of keys) this.#keys.set(lookupKey(key), key)
  }

  /**
   * The context for a stage's or an image's name; one for the platform (`name::linux/arm64`) comes first.
   * @throws SyntaxFault where the name is no image reference, whether or not there are contexts
   */
  find(name: string, platform: Platform): string | undefined {
    const lower = name.toLowerCase()
    if (lower === 'scratch' || lower === 'context') return undefined
    const short = shortName(name)
    if (this.#keys.size === 0) return undefined
    return this.#keys.get(`${short}::${formatPlatform(normalizePlatform(platform))}`) ?? this.#keys.get(short)
  }
}

/** Stage names repeat in a large file; parsing a reference is the costly part. */
function shortName(name: string): string {
  try {
    return familiarName(name).replace(/:latest$/, '')
  } catch (error) {
    if (error instanceof InvalidReferenceError) throw new SyntaxFault(`invalid context name ${name}: ${error.message}`)
    throw error
  }
}

/** As docker's command line does with the name of a context: `docker.io/library/alpine:latest` is `alpine`. */
function lookupKey(key: string): string {
  const [name = key, ...platform] = key.split('::')
  try {
    return [shortName(name), ...platform].join('::')
  } catch {
    return key
  }
}
