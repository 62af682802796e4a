/** Lines of a text in memory, one at a time: the text of a database may be large, and its lines need not all be there at once. */

/** Lines without their ends, as UTF-8; a line end at the end of the text begins no line. */
export function* lines(text: Buffer): Generator<string> {
  let at = 0
  while (at < text.length) {
    const end = text.indexOf(0x0a, at)
    const stop = end === -1 ? text.length : end
    yield text.toString('utf8', at, stop)
    at = stop + 1
  }
}
