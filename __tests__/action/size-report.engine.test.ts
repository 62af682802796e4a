/** A pull request as its reviewer sees it: one comment, from run to run, with the real octokit and a real engine. */
import { describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { formatBytes } from '../../src/measure/format.ts'
import { docker, rigRegistry } from '../support/engine.ts'
import { startGithubApi } from '../support/github-api.ts'
import { startRegistry } from '../support/registry.ts'
import { ReviewedProject } from '../support/reviewed-project.ts'
import { forgetImages, standInLines, type Step } from '../support/step.ts'

const dockerfile = (name: string): string => `FROM alpine:3.22 AS build
COPY src /src
RUN mkdir -p /out/lib && cp /src/*.bin /out/lib/ && echo ${name} > /out/name
FROM alpine:3.22 AS prod
WORKDIR /app
COPY --from=build /out /app
CMD ["cat", "/app/name"]
FROM alpine:3.22 AS debug
RUN echo debug ${name} > /debug
`
/** Text that does not compress to less than three quarters. */
const noise = (bytes: number): string => randomBytes((bytes * 3) / 4).toString('base64')

describe('a pull request', () => {
  test('gets one comment that says why an image grew, and keeps it up to date', async () => {
    await using api = await startGithubApi()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(200_000) }, api)
    await project.commit({ Dockerfile: dockerfile(project.name) })
    const inputs = { targets: 'prod,debug' }

    const main = await project.push({ inputs })
    expect([main.code, main.warnings]).toEqual([0, []])
    expect(main.outputs).toMatchObject({ 'baseline-sha': '', 'comment-url': '' })
    expect(main.stdout).toContain('no baseline yet')

    await project.propose({ 'src/large.bin': noise(2_000_000) })
    const grown = await project.review({ inputs })
    expect([grown.code, grown.warnings]).toEqual([0, []])
    expect(grown.outputs['baseline-sha']).toBe(await project.git('rev-parse', 'main'))
    const [comment = '', ...others] = project.comments()
    expect(others).toEqual([])
    expect(comment).toMatch(
      /^<!-- stage-build:report -->\n### Image sizes: .*`prod` .*\+2\.0\d&nbsp;MB|\+1\.9\d&nbsp;MB/,
    )
    expect(comment).toContain('`COPY --from=build /out /app` [`Dockerfile:6`]')
    expect(comment).toContain('| +2.00&nbsp;MB | `app/lib/large.bin` <sub>new</sub> |')
    expect(comment).toContain('1 unchanged target')
    expect(comment).toContain('the base commit on `main`')
    const prod = grown.images['prod']?.sizes['linux/amd64']
    expect(prod).toMatchObject({ transfer: { total: expect.any(Number) } })
    const sizes = JSON.parse(grown.outputs['sizes'] ?? '') as { targets: Record<string, Record<string, unknown>> }
    const { own } = main.images['prod']?.sizes['linux/amd64']?.unpacked ?? { own: 0 }
    expect(sizes.targets['prod']?.['linux/amd64']).toMatchObject({
      delta: { unpacked: (prod?.unpacked.own ?? 0) - own },
    })
    expect(sizes.targets['debug']?.['linux/amd64']).toMatchObject({ delta: { transfer: 0, unpacked: 0 } })

    // Nothing is built the second time, and the comment is not sent again.
    api.reset()
    const again = await project.review({ inputs })
    expect(again.stdout).toContain('prod is not built')
    expect(project.comments()).toEqual([comment])
    expect([api.count('issues/update-comment'), api.count('issues/create-comment')]).toEqual([0, 0])

    // Taken back, the comment says so.
    await project.git('rm', '--quiet', 'src/large.bin')
    await project.propose({ 'README.md': 'again' })
    const back = await project.review({ inputs })
    expect(back.code).toBe(0)
    expect(project.comments()[0]).toMatch(/^<!-- stage-build:report -->\n### Image sizes: no change/)
    expect(project.comments()).toHaveLength(1)

    // A stage between makes another graph, drawn where it changed; and the run that measured the baseline is linked.
    expect(comment).not.toContain('```mermaid')
    const stages = dockerfile(project.name).replace(
      'FROM alpine:3.22 AS prod',
      'FROM alpine:3.22 AS run\nFROM run AS prod',
    )
    await project.propose({ Dockerfile: stages })
    expect((await project.review({ inputs })).code).toBe(0)
    const [drawn = ''] = project.comments()
    expect(drawn).toContain('The stage graph changed (4 stages, 1 new)')
    expect(drawn).toContain('New: `run`.')
    expect(drawn).toMatch(/\/actions\/runs\/100\)/)
  }, 240_000)

  test('that copies what is there already is told what of it is waste, though most layers come from the cache', async () => {
    await using api = await startGithubApi()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(400_000) }, api)
    const stages = `FROM alpine:3.22 AS prod\nRUN echo ${project.name} > /name\nCOPY src /src\n`
    await project.commit({ Dockerfile: stages })
    await project.push({ inputs: { targets: 'prod' } })
    await project.propose({ Dockerfile: `${stages}RUN chmod 600 /src/a.bin && rm /bin/busybox\n` })
    const copied = await project.review({ inputs: { targets: 'prod' } })
    expect([copied.code, copied.warnings]).toEqual([0, []])
    expect(copied.stdout).toContain('2 steps cached')
    const alpine = /^alpine:3\.22=(.*)$/m.exec(standInLines())?.[1] ?? ''
    const busybox = Number(await docker('run', '--rm', alpine, 'stat', '-c', '%s', '/bin/busybox'))
    expect(busybox).toBeGreaterThan(1_000_000)
    const wasted = busybox + 400_000
    expect(project.comments()[0]).toContain(`**Waste:** ${formatBytes(wasted).replace(' ', '&nbsp;')}`)
  }, 240_000)

  test('over its budget fails, at the line of the target, unless a label allows it', async () => {
    await using api = await startGithubApi()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(200_000) }, api)
    await project.commit({ Dockerfile: dockerfile(project.name) })
    const inputs = { targets: 'prod,debug', 'size-budgets': 'prod=+5%\n*=1GB unpacked' }
    expect((await project.push({ inputs })).code).toBe(0)
    await project.propose({ 'src/large.bin': noise(2_000_000) })
    const over = await project.review({ inputs: { ...inputs, comment: 'over-budget' } })
    expect(over.code).toBe(1)
    expect(over.errors).toEqual([
      expect.stringMatching(/^Dockerfile:4: `prod` grew by .* over its budget of \+5% \(transfer\)\. Make/),
    ])
    expect(over.outputs['images']).toContain('"prod"')
    expect(project.comments()[0]).toMatch(/### Image sizes: 1 of 2 targets over budget/)

    await project.propose({ 'README.md': 'x' }, ['stage-build: allow-size-increase'])
    const waived = await project.review({ inputs })
    expect([waived.code, waived.errors]).toEqual([0, []])
    expect(project.comments()[0]).toContain('stage-build: allow-size-increase')

    // On main, where it was merged: allowed by the label of the pull request that the push merged, else not; and when it
    // was broken before, a warning in the summary.
    await project.git('checkout', '--quiet', 'main')
    await project.git('merge', '--quiet', '--no-ff', '--message', 'merged', 'topic')
    const merged = await project.push({ inputs: { ...inputs, 'size-budgets': 'prod=1MB' } })
    expect(merged.code).toBe(1)
    const mergeSha = (await project.git('rev-parse', 'HEAD')).trim()
    const labels = ['stage-build: allow-size-increase']
    api.repository.addPull({ headSha: 'a'.repeat(40), state: 'closed', labels, mergeSha })
    const allowed = await project.push({ inputs: { ...inputs, 'size-budgets': 'prod=1MB' } })
    expect([allowed.code, allowed.errors]).toEqual([0, []])
    await project.commit({ 'README.md': 'y' })
    const after = await project.push({ inputs: { ...inputs, 'size-budgets': 'prod=1MB' } })
    expect([after.code, after.errors]).toEqual([0, []])
    expect(after.summary).toContain('⚠️')
  }, 240_000)

  test('is held to its budget in the merge queue, where nothing is written; a run that somebody starts by hand writes', async () => {
    await using api = await startGithubApi()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(200_000) }, api)
    await project.commit({ Dockerfile: dockerfile(project.name) })
    const inputs = { targets: 'prod', 'size-budgets': 'prod=+5%' }
    expect((await project.push({ inputs })).code).toBe(0)
    const base = await project.git('rev-parse', 'main')
    await project.propose({ 'src/large.bin': noise(1_000_000) })

    const queued = await project.queue({ inputs })
    expect([queued.code, queued.outputs['baseline-sha'], project.comments()]).toEqual([1, base, []])
    expect(queued.errors).toEqual([expect.stringMatching(/^Dockerfile:4: `prod` grew by .* over its budget/)])
    expect(queued.summary).toContain('`app/lib/large.bin`')

    const asked = await project.dispatch({ inputs: { targets: 'prod' } })
    expect([asked.code, asked.warnings, asked.outputs['baseline-sha']]).toEqual([0, [], base])
    expect(project.comments()).toEqual([expect.stringMatching(/### Image sizes: `prod` \+/)])

    // The label of the queued pull request holds in the queue.
    await project.propose({ 'README.md': 'x' }, ['stage-build: allow-size-increase'])
    const waived = await project.queue({ inputs })
    expect([waived.code, waived.errors]).toEqual([0, []])
  }, 240_000)

  test('whose token may not write has its report in the summary, and the step does not fail', async () => {
    await using api = await startGithubApi()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(200_000) }, api)
    await project.commit({ Dockerfile: dockerfile(project.name) })
    const inputs = { targets: 'prod' }
    await project.push({ inputs })
    await project.propose({ 'src/large.bin': noise(1_000_000) })

    const denied = await project.review({ inputs, pullRequests: 'read' })
    expect(denied.code).toBe(0)
    expect(denied.warnings).toEqual([expect.stringMatching(/No comment was written.*pull-requests: write/)])
    expect(denied.summary).toContain('`app/lib/large.bin`')

    const forked = await project.review({ inputs, fork: 'other/repo' })
    expect([forked.code, forked.warnings]).toEqual([0, []])
    expect(forked.stdout).toContain('The pull request is from a fork')

    api.fail({ operation: 'issues/list-comments', effect: { status: 503 } })
    const down = await project.review({ inputs })
    expect(down.code).toBe(0)
    expect(down.warnings).toEqual([expect.stringMatching(/No comment was written/)])
    api.reset()
    expect((await project.review({ inputs: { ...inputs, comment: 'never' } })).code).toBe(0)
    expect(project.comments()).toEqual([])
  }, 240_000)
})

describe('a baseline', () => {
  test('is the nearest commit before the base that was measured, and its distance is stated', async () => {
    await using api = await startGithubApi()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(200_000) }, api)
    await project.commit({ Dockerfile: dockerfile(project.name) })
    const inputs = { targets: 'prod' }
    await project.push({ inputs })
    const measured = await project.git('rev-parse', 'main')
    await project.commit({ 'README.md': '1' })
    await project.commit({ 'README.md': '2' })
    await project.propose({ 'src/large.bin': noise(500_000) })
    const found = await project.review({ inputs })
    expect(found.outputs['baseline-sha']).toBe(measured)
    expect(project.comments()[0]).toMatch(/2 commits before/)
  }, 240_000)

  test('is there for a target that is always built, too', async () => {
    await using api = await startGithubApi()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(200_000) }, api)
    // What an address answers cannot be known beforehand.
    const always = `FROM alpine:3.22 AS prod\nADD http://${rigRegistry()}/v2/ /answer\nRUN echo ${project.name} > /name\nCOPY src /src\n`
    await project.commit({ Dockerfile: always })
    const inputs = { targets: 'prod' }
    await project.push({ inputs })
    await project.propose({ 'src/large.bin': noise(500_000) })
    const { code, outputs } = await project.review({ inputs })
    expect([code, outputs['baseline-sha']]).toEqual([0, await project.git('rev-parse', 'main')])
    expect(outputs['plan']).toContain('"kind":"unknown-input"')
    expect(project.comments()[0]).toMatch(/### Image sizes: `prod` \+4\d\d/)
  }, 240_000)

  test('may be a file of sizes, an image, or a commit; what is of no use is a warning', async () => {
    await using api = await startGithubApi()
    await using registry = await startRegistry()
    await using project = await ReviewedProject.make({ 'src/a.bin': noise(200_000) }, api)
    await project.commit({ Dockerfile: dockerfile(project.name) })
    const tag = `${registry.host}/app-{target}:1`
    const inputs = { targets: 'prod', tags: tag, push: 'true' }
    const first = await project.push({ inputs })
    const before = await project.git('rev-parse', 'main')
    await project.commit({ 'src/large.bin': noise(500_000), 'sizes.json': first.outputs['sizes'] ?? '' })
    const compare = async (baseline: string): Promise<Step> =>
      await project.push({ inputs: { targets: 'prod', baseline, cache: 'read-only' } })
    const delta = (run: Step): number | undefined => {
      const sizes = JSON.parse(run.outputs['sizes'] ?? '') as Sizes
      return sizes.targets['prod']?.['linux/amd64']?.delta?.transfer ?? undefined
    }
    const bySha = await compare(before.slice(0, 12))
    expect(delta(bySha)).toBeGreaterThan(400_000)
    expect(delta(await compare('sizes.json'))).toBe(delta(bySha))
    expect(delta(await compare(`${registry.host}/app-{target}:1`))).toBe(delta(bySha))
    const unknown = await compare('f'.repeat(40))
    expect(unknown.code).toBe(0)
    expect(unknown.warnings).toEqual([expect.stringMatching(/nothing is known of `f{40}`/)])
    const broken = await compare('Dockerfile.json')
    expect(broken.warnings).toEqual([expect.stringMatching(/`Dockerfile.json` cannot be read \(ENOENT\)/)])
    await forgetImages(registry.host)
  }, 240_000)
})

interface Sizes {
  readonly targets: Readonly<
    Record<string, Readonly<Record<string, { readonly delta: { readonly transfer: number | null } | null }>>>
  >
}
