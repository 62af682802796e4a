/** How much the file indexes of several layers may hold together. */

export interface FilesLimits {
  /** Files, directories and whiteouts. */
  readonly nodes: number
  /** Characters of their names, and bytes of package databases. */
  readonly bytes: number
}

export class FilesBudget {
  #nodes: number
  #bytes: number

  constructor({ nodes, bytes }: FilesLimits) {
    this.#nodes = nodes
    this.#bytes = bytes
  }

  /** Takes so much, unless there is less left: then nothing, and false. */
  take({ nodes, bytes }: FilesLimits): boolean {
    if (nodes > this.#nodes || bytes > this.#bytes) return false
    this.#nodes -= nodes
    this.#bytes -= bytes
    return true
  }

  giveBack({ nodes, bytes }: FilesLimits): void {
    this.#nodes += nodes
    this.#bytes += bytes
  }
}
