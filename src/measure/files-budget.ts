/** How much the file indexes of several layers may hold together. */

export interface FilesLimits {
  /** Of the archives. */
  readonly entries: number
  /** Of the packed entries and of package databases. */
  readonly bytes: number
}

export class FilesBudget {
  #entries: number
  #bytes: number

  constructor({ entries, bytes }: FilesLimits) {
    this.#entries = entries
    this.#bytes = bytes
  }

  /** Takes so much, unless there is less left: then nothing, and false. */
  take({ entries, bytes }: FilesLimits): boolean {
    if (entries > this.#entries || bytes > this.#bytes) return false
    this.#entries -= entries
    this.#bytes -= bytes
    return true
  }

  giveBack({ entries, bytes }: FilesLimits): void {
    this.#entries += entries
    this.#bytes += bytes
  }
}
