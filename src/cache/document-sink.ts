/** A sink that keeps what looks like a small JSON document (an image config), so that it can be read again. */
import type { BlobSink } from './blob-uploads.ts'
import { MAX_DOCUMENT_BYTES, type DocumentStore } from './document-store.ts'

/** A blob that begins with `{` and stays small is kept in `documents`; others cost nothing. */
export function documentSink(documents: DocumentStore): BlobSink {
  let kept: Buffer[] | undefined = []
  let size = 0
  return {
    write(chunk) {
      size += chunk.length
      const first = kept?.length === 0 ? chunk : undefined
      if ((first !== undefined && first[0] !== 0x7b) || size > MAX_DOCUMENT_BYTES) kept = undefined
      kept?.push(chunk)
      return Promise.resolve()
    },
    finish(digest) {
      if (kept !== undefined && kept.length > 0) documents.putBlob(digest, Buffer.concat(kept))
      return Promise.resolve()
    },
    abort() {
      kept = undefined
    },
  }
}
