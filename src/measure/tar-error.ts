/** Why a tar stream cannot be read. A leaf, so that header, PAX and walker share the one type. */

export type TarFault =
  'bad-checksum' | 'bad-header' | 'bad-number' | 'bad-extension' | 'extension-too-large' | 'truncated'

/** The bytes are no tar archive that Docker could unpack. The message holds no text from the archive. */
export class TarFormatError extends Error {
  readonly fault: TarFault
  constructor(fault: TarFault, message: string) {
    super(message)
    this.name = 'TarFormatError'
    this.fault = fault
  }
}
