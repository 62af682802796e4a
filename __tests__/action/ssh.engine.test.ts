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
 * Asks the agent for its keys (message 11: SSH_AGENTC_REQUEST_IDENTITIES) where the image has no ssh-add.
 * https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent
 */
const ask = (id: string): string =>
  `RUN --mount=type=ssh,id=${id},required=true test -S "$SSH_AUTH_SOCK" && : ${fresh()} && ` +
  String.raw`printf '\0\0\0\1\13' | timeout 5 nc -f "$SSH_AUTH_SOCK" > /${id}.answer || true` +
  '\n'

test('an agent by its variable, an agent by its socket and a key by its file reach their RUN', async () => {
  await using space = await workspace()
  const key = space.path('..', 'key')
  const socket = space.path('..', 'agent.sock')
  await space.write({
    Dockerfile: `FROM alpine:3.22 AS a\n${['default', 'named', 'filed']
      .map(
        (id) =>
          `RUN --mount=type=ssh,id=${id},required=true test -S "$SSH_AUTH_SOCK" && echo "${id} ${fresh()}" > /${id}\n`,
      )
      .join('')}FROM scratch\nCOPY --from=a /default /named /filed /\n`,
  })
  const built = await withAgent(
    key,
    socket,
    async () =>
      await builds(space, {
        inputs: { ssh: `default\nnamed=${socket}\nfiled=${key}`, outputs: 'type=local,dest=out' },
        env: { SSH_AUTH_SOCK: socket },
      }),
  )
  for (const id of ['default', 'named', 'filed']) {
    expect(await readFile(space.path('out', id), 'utf8')).toMatch(new RegExp(`^${id} `))
  }
  const secret = (await readFile(key, 'utf8')).split('\n')[2] ?? ''
  expect(secret).not.toBe('')
  expect(built.stdout + built.summary + JSON.stringify(built.outputs)).not.toContain(secret)
})

test('without an agent one error says what is missing', async () => {
  await using space = await workspace({ Dockerfile: `FROM alpine:3.22\n${ask('default')}` })
  const inputs = { ssh: 'default' }
  const { code, errors } = await step(space, { inputs, env: { SSH_AUTH_SOCK: undefined } })
  expect(code).toBe(1)
  expect(errors).toEqual([expect.stringMatching(/SSH_AUTH_SOCK|agent/)])
})
