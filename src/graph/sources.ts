/**
 * What the name of an image means: the empty image, a named context, or a normalised reference.
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import { goQuote } from '../dockerfile/go-text.ts'
import { InvalidReferenceError, normalizeReference } from '../images/reference.ts'
import type { NamedContexts } from './contexts.ts'
import type { Platform } from './platform.ts'
import type { StageSource } from './stage-graph.ts'

export class ImageSources {
  readonly #contexts: NamedContexts
  readonly #normalized = new Map<string, string>()

  constructor(contexts: NamedContexts) {
    this.#contexts = contexts
  }

  /**
   * The source behind a name that is no stage's.
   * @throws SyntaxFault `failed to parse stage name "…": …`
   */
  find(text: string, platform: Platform): Exclude<StageSource, { kind: 'stage' }> {
    if (text === 'scratch') return { kind: 'scratch' }
    const image = this.normalize(text)
    const context = this.#contexts.find(image, platform)
    return context === undefined ? { kind: 'image', image } : { kind: 'context', context, image }
  }

  /** The full reference. @throws SyntaxFault `failed to parse stage name "…": …` */
  normalize(text: string): string {
    const known = this.#normalized.get(text)
    if (known !== undefined) return known
    try {
      const image = normalizeReference(text)
      this.#normalized.set(text, image)
      return image
    } catch (error) {
      if (!(error instanceof InvalidReferenceError)) throw error
      throw new SyntaxFault(`failed to parse stage name ${goQuote(text)}: ${error.message}`)
    }
  }
}
