/** SSH agents and keys for RUN --mount=type=ssh: a real agent with a key made for the test. */
import { expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { workspace } from '../support/engine.ts'
import { builds, fresh, step } from '../support/step.ts'

const exec = promisify(execFile)

/** Starts an agent that holds a new key; it ends with the callback. */
async function withAgent<T>(keyFile: string, socket: string, use: () => Promise<T>): Promise<T> {
  await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'throwaway', '-f', keyFile])
  const { stdout } = await exec('ssh-agent', ['-s', '-a', socket])
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1])
  try {
    await exec('ssh-add', ['-q', keyFile], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
    return await use()
  } finally {
    process.kill(pid)
  }
}

/**
 * Asks the agent for its keys (SSH_AGENTC_REQUEST_IDENTITIES, 11) and keeps the answer: the images have no ssh-add.
 * https://www.ietf.org/archive/id/draft-miller-ssh-agent-14.html
 */
const LIST_KEYS = `
import { connect } from 'node:net'
import { writeFileSync } from 'node:fs'
const socket = connect(process.env.SSH_AUTH_SOCK, () => socket.write(Buffer.from([0, 0, 0, 1, 11])))
let answer = Buffer.alloc(0)
socket.on('data', (chunk) => {
  answer = Buffer.concat([answer, chunk])
  if (answer.length < 4 || answer.length < 4 + answer.readUInt32BE()) return
  writeFileSync(process.argv[2], answer)
  socket.end()
})
`

const IDS = ['default', 'named', 'filed'] as const

test('an agent by its variable, an agent by its socket and a key by its file reach their RUN', async () => {
  const asks = IDS.map((id) => `RUN --mount=type=ssh,id=${id},required=true : ${fresh()}; node /list.mjs /${id}\n`)
  await using space = await workspace({
    'list.mjs': LIST_KEYS,
    Dockerfile:
      `FROM node:22-alpine AS asked\nCOPY list.mjs /\n${asks.join('')}` +
      `FROM scratch\nCOPY --from=asked ${IDS.map((id) => `/${id}`).join(' ')} /\n`,
  })
  const key = space.path('..', 'key')
  const socket = space.path('..', 'agent.sock')
  const inputs = { ssh: `default\nnamed=${socket}\nfiled=${key}`, outputs: 'type=local,dest=out' }
  const built = await withAgent(
    key,
    socket,
    async () => await builds(space, { inputs, env: { SSH_AUTH_SOCK: socket } }),
  )
  const [, publicKey = ''] = (await readFile(`${key}.pub`, 'utf8')).split(' ')
  expect(publicKey).toMatch(/^AAAA/)
  for (const id of IDS) {
    const answer = await readFile(space.path('out', id))
    expect(answer.includes(Buffer.from(publicKey, 'base64'))).toBe(true)
  }
  const [, secret = ''] = (await readFile(key, 'utf8')).split('\n')
  expect(secret).not.toBe('')
  expect(built.stdout + built.summary + JSON.stringify(built.outputs)).not.toContain(secret)
})

test('without an agent one error says what is missing', async () => {
  await using space = await workspace({
    Dockerfile: 'FROM alpine:3.22\nRUN --mount=type=ssh,required=true test -S "$SSH_AUTH_SOCK"\n',
  })
  const inputs = { ssh: 'default' }
  const { code, errors } = await step(space, { inputs, env: { SSH_AUTH_SOCK: undefined } })
  expect(code).toBe(1)
  expect(errors).toEqual([expect.stringMatching(/SSH_AUTH_SOCK|agent/)])
})
