/**
 * Several targets find at the same moment that a blob they share is not here, and all of them would push it. The first is
 * told so; the others wait for its upload, and push only if none comes.
 */

interface Expected {
  /** Whether the blob came. */
  readonly settled: Promise<boolean>
  readonly settle: (came: boolean) => void
  readonly timer: NodeJS.Timeout
}

/** A client that asked for a blob and was told that it is not here begins its upload at once, or never. */
const PATIENCE_MS = 1_500

export class ExpectedUploads {
  readonly #expected = new Map<string, Expected>()

  /** For a blob that is not here: whether it came meanwhile. False: who asks should push it. */
  async arrives(digest: string): Promise<boolean> {
    const expected = this.#expected.get(digest)
    if (expected === undefined) {
      this.#expect(digest)
      return false
    }
    return (await expected.settled) || (await this.arrives(digest))
  }

  /** The upload has begun: from now on it is waited for until it ends. */
  began(digest: string): void {
    clearTimeout((this.#expected.get(digest) ?? this.#expect(digest)).timer)
  }

  ended(digest: string, came: boolean): void {
    const expected = this.#expected.get(digest)
    if (expected === undefined) return
    clearTimeout(expected.timer)
    this.#expected.delete(digest)
    expected.settle(came)
  }

  #expect(digest: string): Expected {
    const { promise: settled, resolve: settle } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => {
      this.ended(digest, false)
    }, PATIENCE_MS)
    timer.unref()
    const expected = { settled, settle, timer }
    this.#expected.set(digest, expected)
    return expected
  }
}
