import { expect, test } from '@jest/globals'
import { DocumentStore } from '../../src/cache/document-store.ts'

const put = (store: DocumentStore, text: string): string =>
  store.putManifest({ repository: 'x', reference: 'latest', mediaType: 'm', bytes: Buffer.from(text) }).digest

test('beyond the bound the oldest documents are forgotten', () => {
  const store = new DocumentStore(10)
  store.putBlob('sha256:a', Buffer.alloc(6))
  store.putBlob('sha256:b', Buffer.alloc(4))
  expect(store.blob('sha256:a')?.length).toBe(6)
  store.putBlob('sha256:c', Buffer.alloc(1))
  expect(['a', 'b', 'c'].map((name) => store.blob(`sha256:${name}`)?.length)).toEqual([undefined, 4, 1])
})

test('the same manifest pushed again takes no further room', () => {
  const store = new DocumentStore(10)
  const first = put(store, '{"a":1}')
  for (let i = 0; i < 5; i++) put(store, '{"a":1}')
  expect(store.manifest('x', first)?.bytes.length).toBe(7)
  expect(store.manifest('x', 'latest')?.digest).toBe(first)
})

test('a forgotten manifest is not there by tag either', () => {
  const store = new DocumentStore(10)
  const first = put(store, '{"a":1}')
  store.putBlob('sha256:b', Buffer.alloc(10))
  expect(store.manifest('x', 'latest')).toBeUndefined()
  expect(store.manifest('x', first)).toBeUndefined()
})

test('a blob is no manifest', () => {
  const store = new DocumentStore()
  const digest = put(store, '{}')
  store.putBlob('sha256:b', Buffer.alloc(1))
  expect(store.manifest('x', 'sha256:b')).toBeUndefined()
  expect(store.manifest('y', digest)).toBeUndefined()
})
