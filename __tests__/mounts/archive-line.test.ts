/** Archives through a socket on loopback: whole or not at all, and for nobody but the helper. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ArchiveLine } from '../../src/mounts/archive-line.ts'

/** Neither a whole number of buffers nor of the socket's pieces. */
const BYTES = randomBytes(2_500_001)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stage-build-line-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function open(kind: 'give' | 'take', options: { maxBytes?: number; signal?: AbortSignal } = {}) {
  return await ArchiveLine.open({
    ...{ kind, archives: new Map([['0', join(folder, '0.tar')]]) },
    maxBytes: options.maxBytes ?? BYTES.length,
    signal: options.signal ?? new AbortController().signal,
  })
}

/** As the helper's shell does it. */
function call({ address }: ArchiveLine, greeting = `${address.question} 0\n`): Socket {
  const socket = connect({ port: address.port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  socket.write(greeting)
  return socket
}

/** What a socket says until it closes, however it does. */
async function heard(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks)
}

describe('an archive', () => {
  test('is given after the answer, as it is', async () => {
    await writeFile(join(folder, '0.tar'), BYTES)
    await using line = await open('give')
    const said = await heard(call(line))
    const answer = `${line.address.answer}\n`
    expect(said.toString('latin1', 0, answer.length)).toBe(answer)
    expect(said.subarray(answer.length).equals(BYTES)).toBe(true)
    await line.settled()
    expect(line.wasUsed).toBe(true)
  })

  test.each([
    [
      'when it comes after the answer',
      async (socket: Socket) => await new Promise((done) => socket.once('data', done)),
    ],
    ['when it comes with the greeting', () => Promise.resolve()],
  ])('is taken as it is %s', async (_, wait) => {
    await using line = await open('take')
    const socket = call(line)
    await wait(socket)
    socket.end(BYTES)
    await heard(socket)
    await line.settled()
    expect((await readFile(join(folder, '0.tar'))).equals(BYTES)).toBe(true)
  })

  test('that is too large is broken off, and leaves no file', async () => {
    await using line = await open('take', { maxBytes: BYTES.length - 1 })
    const socket = call(line)
    socket.end(BYTES)
    await heard(socket)
    await line.settled()
    expect(await readdir(folder)).toEqual([])
  })

  test('that cannot be read is broken off', async () => {
    await using line = await open('give')
    expect((await heard(call(line))).toString()).toBe(`${line.address.answer}\n`)
    await line.settled()
  })

  test('is broken off when the run is cancelled', async () => {
    const cancelling = new AbortController()
    await using line = await open('take', { signal: cancelling.signal })
    const socket = call(line)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.write(BYTES.subarray(0, 100_000))
    cancelling.abort()
    await heard(socket)
    await line.settled()
    expect(await readdir(folder)).toEqual([])
  })
})

test.each([
  ['another question', () => `${'0'.repeat(32)} 0\n`],
  ['no question', () => '0\n'],
  ['another name', ({ address }: ArchiveLine) => `${address.question} ../0\n`],
  ['a long greeting without an end', ({ address }: ArchiveLine) => `${address.question} ${'0'.repeat(1_000)}`],
])('nobody is served who comes with %s', async (_, greeting) => {
  await writeFile(join(folder, '0.tar'), BYTES)
  await using line = await open('give')
  const socket = call(line, greeting(line))
  expect(await text(socket).catch(() => '')).toBe('')
  expect(line.wasUsed).toBe(false)
})
