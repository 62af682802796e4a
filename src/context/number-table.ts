/** A table from unsigned 32-bit numbers to others, filled once: a Map of so many would take most of a look-up's time. */

const FREE = 0
/** The golden ratio's bits spread neighbours over the table. */
const SPREAD = 0x9e3779b1

export class NumberTable {
  readonly #keys: Uint32Array
  /** 0 is a free place. */
  readonly #values: Uint32Array
  readonly #shift: number

  /** @param count how many keys there will be at most */
  constructor(count: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(count * 2)))
    this.#keys = new Uint32Array(2 ** bits)
    this.#values = new Uint32Array(2 ** bits)
    this.#shift = 32 - bits
  }

  /** @param value not 0; the last of a key stays */
  set(key: number, value: number): void {
    const place = this.#placeOf(key)
    this.#keys[place] = key
    this.#values[place] = value
  }

  /** undefined where the key was not set. */
  get(key: number): number | undefined {
    const value = this.#values[this.#placeOf(key)]
    return value === FREE ? undefined : value
  }

  /** Where a key is, or the free place where it would be. */
  #placeOf(key: number): number {
    const last = this.#keys.length - 1
    let place = Math.imul(key, SPREAD) >>> this.#shift
    while (this.#values[place] !== FREE && this.#keys[place] !== key) place = (place + 1) & last
    return place
  }
}
