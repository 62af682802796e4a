/** Cache mounts between runs, each run on a fresh runner; GitHub's service is a stand-in. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { labBuild, openLab, type Lab, type LabRun, type LabStep } from '../support/cache-lab.ts'
import { openColdEngine, type ColdEngine } from '../support/cold-engine.ts'
import { workspace, type Workspace } from '../support/engine.ts'

let engine: ColdEngine
beforeAll(async () => {
  engine = await openColdEngine()
}, 600_000)
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
})

/** Mounts of every kind; each use adds a line, and the log tells how many there were before. */
const MOUNTS = `FROM alpine:3.22 AS deps
ARG TARGETARCH
COPY lock.txt .
RUN --mount=type=cache,target=/root/.cache/plain/ \\
    --mount=type=cache,id=owned,target=/srv/cache,uid=1000,gid=1001,mode=0700,sharing=locked \\
    --mount=type=cache,id=arch-$TARGETARCH,target=/p,sharing=private \\
    --mount=type=cache,target=/ro,readonly \\
    --mount=type=cache,target=/from,from=alpine:3.22,source=/etc \\
    for d in /root/.cache/plain /srv/cache /p; do \\
      touch $d/uses && echo "USES $d $(wc -l < $d/uses) $(stat -c %u:%g:%a $d)" && echo use >> $d/uses; \\
    done
FROM deps AS app
COPY source.txt .
RUN --mount=type=cache,id=/root/.cache/plain,target=/elsewhere wc -l < /elsewhere/uses > /uses; cat source.txt >> /uses
`

function uses({ main }: LabRun): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...main.stdout.matchAll(/USES (\S+) (\d+ \S+)$/gm)].map(([, path = '', text = '']) => [path, text]),
  )
}

/** What the log tells of mounts. */
function told({ log }: LabRun): readonly string[] {
  return [...log.matchAll(/^Cache mounts: (put in|took out) .* of (\d+ mounts?) in /gm)].map(
    ([, what = '', many = '']) => `${what} ${many}`,
  )
}

const OWNED = '1000:1001:700'
const PLAIN = '0:0:755'

describe('cache mounts', () => {
  let lab: Lab & AsyncDisposable
  let space: Workspace
  beforeAll(async () => {
    lab = await openLab(engine)
    space = await workspace({ Dockerfile: MOUNTS, 'lock.txt': '1', 'source.txt': '1' })
  })
  afterAll(async () => {
    await space[Symbol.asyncDispose]()
    await lab[Symbol.asyncDispose]()
  })
  const build = async (step: LabStep = {}): Promise<LabRun> => await labBuild(lab, space, step)

  test('what a step left in its mounts the next runner finds there, whatever else changed', async () => {
    const first = await build()
    expect(uses(first)).toEqual({
      '/root/.cache/plain': `0 ${PLAIN}`,
      '/srv/cache': `0 ${OWNED}`,
      '/p': `0 ${PLAIN}`,
    })
    expect(told(first)).toEqual(['took out 3 mounts'])

    await space.write({ 'lock.txt': '2' })
    const second = await build()
    expect(uses(second)).toEqual({
      '/root/.cache/plain': `1 ${PLAIN}`,
      '/srv/cache': `1 ${OWNED}`,
      '/p': `1 ${PLAIN}`,
    })
    expect(told(second)).toEqual(['put in 3 mounts', 'took out 3 mounts'])
    expect(second.main.summary).toMatch(/^- Cache mount `owned`: .* of `main` were put in, .* old; .* taken out\.$/m)
  }, 120_000)
})
