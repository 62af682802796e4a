import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DockerCredentials } from '../../src/images/docker-credentials.ts'

let home: string
let warnings: string[]

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'stage-build-login-'))
  warnings = []
})

afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

async function credentialsFor(configuration: unknown, directory = '.docker'): Promise<DockerCredentials> {
  await mkdir(join(home, directory), { recursive: true })
  const text = typeof configuration === 'string' ? configuration : JSON.stringify(configuration)
  await writeFile(join(home, directory, 'config.json'), text)
  const env = { PATH: `${home}/bin:${process.env['PATH'] ?? ''}` }
  return new DockerCredentials({ env, homeDirectory: home, warn: (message) => warnings.push(message) })
}

async function installHelper(name: string, script: string): Promise<void> {
  await mkdir(join(home, 'bin'), { recursive: true })
  const path = join(home, 'bin', `docker-credential-${name}`)
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('logins in the Docker configuration', () => {
  test('are read in every form that docker writes', async () => {
    const credentials = await credentialsFor({
      auths: {
        'https://index.docker.io/v1/': { auth: base64('hub:pa:ss') },
        'ghcr.io': { username: 'octo', password: 'cat' },
        'https://registry.example.com/v2/': { auth: base64('old:style') },
        'id.example': { auth: base64('00000000-0000-0000-0000-000000000000:'), identitytoken: 'refresh' },
        'token.example': { registrytoken: 'opaque' },
        'empty.example': {},
        'broken.example': { auth: 'no colon' },
      },
    })
    expect(await credentials.find('docker.io')).toEqual({ kind: 'basic', username: 'hub', password: 'pa:ss' })
    expect(await credentials.find('ghcr.io')).toEqual({ kind: 'basic', username: 'octo', password: 'cat' })
    expect(await credentials.find('registry.example.com')).toEqual({
      kind: 'basic',
      username: 'old',
      password: 'style',
    })
    expect(await credentials.find('id.example')).toEqual({ kind: 'identity-token', token: 'refresh' })
    expect(await credentials.find('token.example')).toEqual({ kind: 'registry-token', token: 'opaque' })
    expect(await credentials.find('empty.example')).toBeUndefined()
    expect(await credentials.find('broken.example')).toBeUndefined()
    expect(await credentials.find('other.example')).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test('are those of DOCKER_CONFIG when it is set', async () => {
    await credentialsFor({ auths: { 'a.example': { username: 'elsewhere', password: 'x' } } }, 'other')
    const env = { DOCKER_CONFIG: join(home, 'other') }
    const credentials = new DockerCredentials({ env, homeDirectory: home, warn: (message) => warnings.push(message) })
    expect(await credentials.find('a.example')).toMatchObject({ username: 'elsewhere' })
  })

  test('are none without a configuration, silently, and none with a broken one, with a warning', async () => {
    const none = new DockerCredentials({ env: {}, homeDirectory: home, warn: (message) => warnings.push(message) })
    expect(await none.find('a.example')).toBeUndefined()
    expect(warnings).toEqual([])
    const broken = await credentialsFor('{"auths": {"a.example": {"password": "hunter2"')
    expect(await broken.find('a.example')).toBeUndefined()
    expect(warnings).toEqual([
      `${home}/.docker/config.json is not valid JSON, so registries are asked without a login.`,
    ])
  })
})

describe('credential helpers', () => {
  test('are asked with the server on standard input, the one for the host before the common one', async () => {
    await installHelper('one', `read server; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$server\\"}"`)
    await installHelper('all', `cat >/dev/null; echo '{"Username":"<token>","Secret":"refresh"}'`)
    const credentials = await credentialsFor({ credHelpers: { 'a.example': 'one' }, credsStore: 'all' })
    expect(await credentials.find('a.example')).toEqual({ kind: 'basic', username: 'get', password: 'a.example' })
    expect(await credentials.find('docker.io')).toEqual({ kind: 'identity-token', token: 'refresh' })
    expect(warnings).toEqual([])
  })

  test('are asked once for a host', async () => {
    await installHelper('one', `cat >/dev/null; echo x >>"${home}/count"; echo '{"Username":"u","Secret":"s"}'`)
    const credentials = await credentialsFor({ credsStore: 'one' })
    await Promise.all([credentials.find('a.example'), credentials.find('a.example')])
    expect(await (await import('node:fs/promises')).readFile(join(home, 'count'), 'utf8')).toBe('x\n')
  })

  test('that know no login give none, silently', async () => {
    await installHelper('one', `cat >/dev/null; echo "credentials not found in native keychain"; exit 1`)
    const credentials = await credentialsFor({ credsStore: 'one' })
    expect(await credentials.find('a.example')).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test.each([
    ['gone', undefined, 'is not installed'],
    ['bad', `echo hunter2 >&2; echo hunter2; exit 3`, 'failed (status 3)'],
    ['odd', `echo '{"Username":"u","Secret":"hunter2"'`, 'gave no valid answer'],
    ['void', `echo '{}'`, 'gave no login'],
    ['../../bin/sh', undefined, 'has no valid name'],
  ])('that fail (%s) are a warning without secrets, and the stored login is used', async (name, script, words) => {
    if (script !== undefined) await installHelper(name, script)
    const credentials = await credentialsFor({
      credsStore: name,
      auths: { 'a.example': { username: 'stored', password: 'p' } },
    })
    expect(await credentials.find('a.example')).toMatchObject({ username: 'stored' })
    expect(warnings).toEqual([expect.stringContaining(words)])
    expect(warnings.join()).not.toContain('hunter2')
  })
})
