/** How images are built: each input through the bundled action, seen from inside the build or in its results. */
import { describe, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { rigRegistry, workspace, type Workspace } from '../support/engine.ts'
import { builds, fresh, step } from '../support/step.ts'

const OUT = { outputs: 'type=local,dest=out' }

async function out(space: Workspace, name: string): Promise<string> {
  return await readFile(space.path('out', name), 'utf8')
}

/** A Dockerfile whose result is what these commands print, one file each. */
function probing(commands: Readonly<Record<string, string>>, before = ''): { readonly Dockerfile: string } {
  const runs = Object.entries(commands).map(([name, command]) => `RUN mkdir -p /out; (${command}) > /out/${name} 2>&1`)
  return {
    Dockerfile: `FROM alpine:3.22 AS probe\n${before}${runs.join('\n')}\nFROM scratch\nCOPY --from=probe /out /\n`,
  }
}

test('build-args: with a value, from the environment, quoted with commas and line breaks, none', async () => {
  const args = 'ARG PLAIN\nARG FROM_ENV\nARG LIST\nARG LINES\nARG NONE=unset\nARG EMPTY=x\n'
  await using space = await workspace(
    probing({ all: 'echo "$PLAIN|$FROM_ENV|$LIST|$NONE|$EMPTY|"; echo "$LINES"' }, args),
  )
  const inputs = { 'build-args': 'PLAIN=a=${b}, c\nFROM_ENV\n"LIST=1,""2"",3"\n"LINES=x\ny"\nNONE\nEMPTY=', ...OUT }
  await builds(space, { inputs, env: { FROM_ENV: 'of the job' } })
  expect(await out(space, 'all')).toBe('a=${b}, c|of the job|1,"2",3|unset||\nx\ny\n')
})

describe('secrets', () => {
  test('of all three kinds reach their RUN; a RUN that prints them shows `***`; they are nowhere else', async () => {
    const value = `value-${fresh()}`
    const lines = [`-----BEGIN ${fresh()}`, `body-${fresh()}`, 'x', `END ${fresh()}-----`]
    const ofEnv = `env-${fresh()}`
    const ofFile = `file-${fresh()}`
    const mounts = ['plain', 'multi', 'env', 'file'].map((id) => `--mount=type=secret,id=${id}`).join(' ')
    await using space = await workspace({
      Dockerfile:
        `FROM alpine:3.22\nRUN ${mounts} : ${fresh()}; cd /run/secrets && cat plain multi env file && echo &&\\\n` +
        ' wc -c plain multi env file | head -4 && printf "%s" "$(cat plain)" | sha256sum\n',
      'token.txt': ofFile,
    })
    const built = await builds(space, {
      inputs: {
        secrets: `plain=${value}\n"multi=${lines.join('\n')}"`,
        'secret-envs': 'env=MY_TOKEN',
        'secret-files': 'file=token.txt',
        provenance: 'mode=max',
      },
      env: { MY_TOKEN: ofEnv },
    })
    const secrets = [value, ...lines.filter((line) => line.length > 3), ofEnv, ofFile]
    const sizes = [value, lines.join('\n'), ofEnv, ofFile].map((secret) => String(secret.length))
    const shown = built.stdout.split('\n').filter((line) => !line.startsWith('::'))
    expect(shown.flatMap((line) => /\] +(\d+) (?:plain|multi|env|file)$/.exec(line)?.[1] ?? [])).toEqual(sizes)
    expect(shown.some((line) => line.includes('***'))).toBe(true)
    // The runner itself is told what to hide, in its own commands.
    for (const secret of secrets) {
      expect(built.masks.some((mask) => mask.includes(secret))).toBe(true)
      for (const text of [
        shown.join('\n'),
        built.summary,
        JSON.stringify(built.outputs),
        JSON.stringify(built.state),
      ]) {
        expect(text).not.toContain(secret)
      }
    }
  })

  test('of a failing RUN are hidden in its annotation and in the summary, too', async () => {
    const value = `hush-${fresh()}`
    await using space = await workspace({
      Dockerfile: 'FROM alpine:3.22\nRUN --mount=type=secret,id=s echo "it is $(cat /run/secrets/s)" && exit 3\n',
    })
    const failed = await step(space, { inputs: { secrets: `s=${value}` } })
    expect(failed.code).toBe(1)
    expect(failed.errors).toEqual([expect.stringMatching(/^Dockerfile:2: .*exit code 3/s)])
    expect(failed.errors[0]).toContain('it is ***')
    const shown = failed.stdout.split('\n').filter((line) => !line.startsWith('::add-mask::'))
    expect([...shown, failed.summary].join('\n')).not.toContain(value)
  })
})

describe('what runs again', () => {
  const mark = fresh()
  const Dockerfile = `FROM alpine:3.22 AS one\nRUN : ${mark}; cat /proc/sys/kernel/random/uuid > /1\nFROM alpine:3.22 AS two\nRUN : ${mark}; cat /proc/sys/kernel/random/uuid > /2\nFROM scratch\nCOPY --from=one /1 /\nCOPY --from=two /2 /\n`

  test('is what no-cache and no-cache-filters say, and nothing without them', async () => {
    await using space = await workspace({ Dockerfile })
    const results: (readonly [string, string])[] = []
    const plans: unknown[] = []
    const filters = (names: string) => ({ 'no-cache-filters': names })
    for (const inputs of [{}, {}, filters('TWO'), { 'no-cache': 'true' }, { pull: 'true' }, filters('three')]) {
      const { outputs } = await builds(space, { inputs: { ...OUT, ...inputs } })
      results.push([await out(space, '1'), await out(space, '2')])
      const plan = JSON.parse(outputs['plan'] ?? '') as { readonly targets: readonly { readonly reasons: unknown }[] }
      plans.push(plan.targets[0]?.reasons)
    }
    const [first, second, filtered, fresh, pulled, missed] = results
    expect(second).toEqual(first)
    expect([filtered?.[0], filtered?.[1] === first?.[1]]).toEqual([first?.[0], false])
    expect([fresh?.[0] === first?.[0], fresh?.[1] === filtered?.[1]]).toEqual([false, false])
    expect([pulled, missed]).toEqual([fresh, fresh])
    expect(plans[2]).toMatchObject([{ kind: 'requested', text: '`no-cache-filters` is set (two)' }])
    expect(plans[3]).toMatchObject([{ kind: 'requested', text: '`no-cache` is set' }])
    expect(JSON.stringify(plans[5])).not.toContain('requested')
  })
})

describe('the world of a RUN', () => {
  test('has the hosts, the shared memory and the limits that are given', async () => {
    await using space = await workspace(
      probing({ hosts: 'cat /etc/hosts', shm: 'df -k /dev/shm | tail -1', files: 'ulimit -n; ulimit -Hn; ulimit -u' }),
    )
    const inputs = {
      'add-hosts': 'api.local:10.9.8.7, six.local:fd00::1\neq.local=10.9.8.6',
      'shm-size': '33m',
      ulimit: 'nofile=1011:2022\nnproc=4321',
      ...OUT,
    }
    await builds(space, { inputs })
    const hosts = await out(space, 'hosts')
    for (const line of [/^10\.9\.8\.7\s+api\.local$/m, /^fd00::1\s+six\.local$/m, /^10\.9\.8\.6\s+eq\.local$/m]) {
      expect(hosts).toMatch(line)
    }
    expect(await out(space, 'shm')).toMatch(new RegExp(`\\b${33 * 1024}\\b`))
    expect(await out(space, 'files')).toMatch(/^1011\n2022\n/)
  })

  test('has no network with `none`, and this machine’s with `host`', async () => {
    const mark = fresh()
    await using space = await workspace(
      probing({ net: `: ${mark}; wget -q -T 2 -O - http://${rigRegistry()}/v2/; echo " code $?"; ls /sys/class/net` }),
    )
    await builds(space, { inputs: { network: 'none', ...OUT } })
    expect(await out(space, 'net')).toMatch(/code [1-9]\d*\nlo\n$/)
    await builds(space, { inputs: { network: 'host', 'no-cache': 'true', ...OUT } })
    expect(await out(space, 'net')).toMatch(/^\{\} code 0\n/)
  })

  test('has the host’s network where its line asks for it and `allow` grants it; else one error says what to allow', async () => {
    await using space = await workspace({
      Dockerfile: `FROM alpine:3.22\nRUN --network=host wget -q -O - http://${rigRegistry()}/v2/ && echo ${fresh()}\n`,
    })
    const refused = await step(space)
    expect(refused.errors).toEqual([expect.stringMatching(/network\.host/)])
    expect(refused.errors[0]).toMatch(/`allow/)
    await builds(space, { inputs: { allow: 'network.host' } })
  })
})

describe('inputs that cannot work say so', () => {
  const files = { Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' }

  test('cgroup-parent is a warning, and the build goes on', async () => {
    await using space = await workspace(files)
    const { warnings } = await builds(space, { inputs: { 'cgroup-parent': 'x' } })
    expect(warnings).toEqual([expect.stringMatching(/`cgroup-parent` has no effect.*driver-opts/)])
  })

  test('call is an error that names `mode: plan`', async () => {
    await using space = await workspace(files)
    const { code, errors } = await step(space, { inputs: { call: 'check' } })
    expect([code, errors]).toEqual([1, [expect.stringMatching(/`call`: `check`.*`mode: plan`/)]])
  })

  test('sbom without its scanner’s image is one error that names the image and the input', async () => {
    await using space = await workspace(files)
    for (const generator of [`${rigRegistry()}/no/such-scanner:1`, '127.0.0.1:1/no/generator']) {
      const { code, errors } = await step(space, { inputs: { sbom: `generator=${generator}` } })
      expect(code).toBe(1)
      expect(errors).toEqual([expect.stringMatching(/^Input sbom: `sbom`: its scanner `.*Name a copy of it with/)])
      expect(errors[0]).toContain(generator)
    }
  })
})
