/** A sink that also keeps what looks like a small JSON document (an image config), so that it can be read again. */
import type { BlobSink } from './blob-uploads.ts'
import { MAX_DOCUMENT_BYTES, type DocumentStore } from './document-store.ts'

/** Bytes go to `sink` in any case; a blob that begins with `{` and stays small is kept in `documents`, too. */
export function withDocuments(sink: BlobSink, documents: DocumentStore): BlobSink {
  let kept: Buffer[] | undefined = []
  let size = 0
  return {
    async write(chunk) {
      size += chunk.length
      const first = kept?.length === 0 ? chunk : undefined
      if ((first !== undefined && first[0] !== 0x7b) || size > MAX_DOCUMENT_BYTES) kept = undefined
      kept?.push(chunk)
      await sink.write(chunk)
    },
    async finish(digest, bytes) {
      if (kept !== undefined && kept.length > 0) documents.putBlob(digest, Buffer.concat(kept))
      await sink.finish(digest, bytes)
    },
    abort() {
      sink.abort()
    },
  }
}
