/** A table from unsigned 32-bit numbers to others, filled once: a Map of so many would take most of a look-up's time. */

const FREE = 0
/** The golden ratio's bits spread blocks of numbers over the table. */
const SPREAD = 0x9e3779b1
/** Numbers of one block lie beside each other: inodes of files that were made one after another, and are asked for so. */
const BLOCK_BITS = 5
const IN_BLOCK = 2 ** BLOCK_BITS - 1

export class NumberTable {
  /** A key and its value beside each other: they come from memory together. A value of 0 is a free place. */
  readonly #pairs: Uint32Array
  readonly #shift: number

  /** @param count how many keys there will be at most */
  constructor(count: number) {
    const bits = Math.max(BLOCK_BITS + 1, Math.ceil(Math.log2(count * 2)))
    this.#pairs = new Uint32Array(2 * 2 ** bits)
    this.#shift = 32 - bits + BLOCK_BITS
  }

  /** @param value not 0; the last of a key stays */
  set(key: number, value: number): void {
    const place = this.#placeOf(key)
    this.#pairs[place] = key
    this.#pairs[place + 1] = value
  }

  /** undefined where the key was not set. */
  get(key: number): number | undefined {
    const value = this.#pairs[this.#placeOf(key) + 1]
    return value === FREE ? undefined : value
  }

  /** Where a key is, or the free place where it would be. */
  #placeOf(key: number): number {
    const last = this.#pairs.length - 1
    const block = Math.imul(key >>> BLOCK_BITS, SPREAD) >>> this.#shift
    let place = ((block << BLOCK_BITS) | (key & IN_BLOCK)) * 2
    while (this.#pairs[place + 1] !== FREE && this.#pairs[place] !== key) place = (place + 2) & last
    return place
  }
}
