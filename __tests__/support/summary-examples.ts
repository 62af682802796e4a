import type { Stage, StageGraph, StageNeed, StageSource } from '../../src/graph/stage-graph.ts'
import type { CacheFacts } from '../../src/report/cache-facts.ts'
import type { PlatformReport, SummaryData, TargetReport, TimelineEntry } from '../../src/report/summary-data.ts'

/** Summaries of builds that could have been, for tests and pictures. */

const MB = 1_000_000

export function image(name: string): StageSource {
  return { kind: 'image', image: name }
}

export function stageSource(stage: number): StageSource {
  return { kind: 'stage', stage }
}

export interface StageSketch {
  readonly name?: string | undefined
  readonly from?: StageSource
  readonly needs?: readonly (readonly [StageNeed['via'], StageSource])[]
  readonly replacedByContext?: string
}

/** A graph of ten-line stages. */
export function graphOf(sketches: readonly StageSketch[]): StageGraph {
  const stages = sketches.map((sketch, index): Stage => {
    const line = 1 + index * 10
    const from = sketch.from ?? { kind: 'scratch' }
    return {
      index,
      name: sketch.name,
      line,
      endLine: line + 8,
      from,
      fromText: from.kind === 'image' ? from.image : from.kind === 'stage' ? `stage-${from.stage}` : 'scratch',
      platform: 'linux/amd64',
      needs: (sketch.needs ?? []).map(([via, source], i) => ({ via, source, line: line + 1 + i })),
      replacedByContext: sketch.replacedByContext,
      contextPaths: [],
      reads: [],
      remotes: [],
      undefinedVariables: [],
      steps: [],
    }
  })
  return { stages, defaultTarget: stages.length - 1, platform: 'linux/amd64' }
}

export function digestOf(seed: number): string {
  return `sha256:${Array.from({ length: 64 }, (_, i) => ((seed * 31 + i * i * 7 + i) % 16).toString(16)).join('')}`
}

/** Sizes in MB: transfer and unpacked, each own and inherited. */
export function platform(
  name: string,
  sizes: { readonly transfer: readonly [number, number]; readonly unpacked: readonly [number, number] },
  seed = 1,
): PlatformReport {
  const split = ([own, inherited]: readonly [number, number]) => ({
    total: (own + inherited) * MB,
    own: own * MB,
    inherited: inherited * MB,
  })
  return { platform: name, digest: digestOf(seed), transfer: split(sizes.transfer), unpacked: split(sizes.unpacked) }
}

export function target(name: string, over: Partial<TargetReport> = {}): TargetReport {
  return {
    name,
    stage: undefined,
    status: 'built',
    tags: [],
    digest: digestOf(name.length),
    platforms: [],
    durationMs: 1_200,
    steps: { run: 4, cached: 2 },
    leftBehind: [],
    reasons: [],
    since: undefined,
    ...over,
  }
}

/** Of a run that found nothing, fetched nothing and had nothing to save. */
export function cacheFacts(over: Partial<CacheFacts> = {}): CacheFacts {
  return {
    ...{ backend: 'github', writes: true, searches: [], imports: new Map(), packsFetched: 0, bytesFetched: 0, now: 0 },
    ...{ bytesProxied: 0, bytesSaved: undefined, savedLater: false, bytesDropped: 0, mounts: [] },
    ...{ gone: 0, failed: 0, damaged: 0, trouble: undefined },
    ...over,
  }
}

export function summary(over: Partial<SummaryData> = {}): SummaryData {
  return {
    title: 'app',
    file: 'Dockerfile',
    context: '.',
    targets: [],
    durationMs: 14_200,
    graph: undefined,
    sharedStages: [],
    externalImages: [],
    timeline: [],
    notes: [],
    warnings: [],
    failures: [],
    ...over,
  }
}

function steps(
  stage: string,
  of: string | undefined,
  rows: readonly (readonly [string, number, number, boolean?])[],
): readonly TimelineEntry[] {
  return rows.map(([label, startMs, endMs, cached]) => ({
    label,
    stage,
    target: of,
    startMs,
    endMs,
    cached: cached ?? false,
  }))
}

/** Node builds, nginx serves; debug and test targets of the same Dockerfile. */
export function nodeToNginx(): SummaryData {
  const graph = graphOf([
    { name: 'deps', from: image('docker.io/library/node:22-alpine') },
    { name: 'build-stage', from: stageSource(0) },
    {
      name: 'test',
      from: stageSource(1),
      needs: [['mount', { kind: 'context', context: 'fixtures', image: 'docker.io/library/fixtures:latest' }]],
    },
    { name: 'docs', from: stageSource(0) },
    {
      name: 'production-stage',
      from: image('docker.io/library/nginx:1.29-alpine'),
      needs: [
        ['copy', stageSource(1)],
        ['copy', stageSource(1)],
      ],
    },
    { name: 'debug', from: stageSource(4), needs: [['copy', image('docker.io/library/busybox:latest')]] },
  ])
  const left = {
    stage: 1,
    name: 'build-stage',
    line: 11,
    baseImage: 'node:22-alpine',
    metric: 'unpacked',
    size: 412.3 * MB,
    approximate: true,
  } as const
  return summary({
    title: 'web',
    file: 'web/Dockerfile',
    context: 'web',
    graph,
    sharedStages: [0, 1, 4],
    targets: [
      target('production-stage', {
        stage: 4,
        tags: ['ghcr.io/org/web:1.4.2', 'ghcr.io/org/web:latest'],
        platforms: [platform('linux/amd64', { transfer: [1.92, 20.1], unpacked: [4.61, 52.4] }, 3)],
        durationMs: 11_300,
        steps: { run: 5, cached: 3 },
        leftBehind: [left],
      }),
      target('debug', {
        stage: 5,
        tags: ['ghcr.io/org/web:1.4.2-debug'],
        platforms: [platform('linux/amd64', { transfer: [4.02, 20.1], unpacked: [9.03, 52.4] }, 5)],
        durationMs: 11_900,
        steps: { run: 6, cached: 3 },
        leftBehind: [left],
      }),
      target('test', {
        stage: 2,
        platforms: [platform('linux/amd64', { transfer: [88.4, 54.2], unpacked: [287, 162] }, 7)],
        durationMs: 13_800,
        steps: { run: 5, cached: 2 },
      }),
    ],
    externalImages: [
      { image: 'docker.io/library/node:22-alpine', digest: digestOf(11), mapped: 'ghcr.io/org/mirror/node:22-alpine' },
      { image: 'docker.io/library/nginx:1.29-alpine', digest: digestOf(12), mapped: 'ghcr.io/org/mirror/nginx:1.29' },
      { image: 'docker.io/library/busybox:latest', digest: digestOf(13), mapped: undefined },
    ],
    timeline: [
      ...steps('deps', undefined, [
        ['FROM node:22-alpine', 200, 900, true],
        ['WORKDIR /app', 900, 950, true],
        ['COPY package*.json ./', 950, 1_010, true],
        ['RUN npm ci', 1_010, 4_700],
      ]),
      ...steps('build-stage', undefined, [
        ['COPY . .', 4_700, 4_900],
        ['RUN npm run build', 4_900, 10_100],
      ]),
      ...steps('test', 'test', [['RUN npm test', 10_100, 13_400]]),
      ...steps('production-stage', undefined, [
        ['FROM nginx:1.29-alpine', 250, 1_700],
        ['COPY --from=build-stage /app/dist /usr/share/nginx/html', 10_100, 10_350],
        ['COPY --from=build-stage /app/nginx.conf /etc/nginx/nginx.conf', 10_350, 10_500],
      ]),
      ...steps('debug', 'debug', [['COPY --from=busybox /bin/busybox /bin/busybox', 10_500, 10_700]]),
      ...steps('exporting', undefined, [['exporting 3 images', 10_700, 14_000]]),
    ],
    notes: ['`production-stage` was pushed to `ghcr.io/org/web`; `test` has no tags and was only measured.'],
    warnings: [
      {
        message: 'The Dockerfile names `busybox` without a tag: what it is may change from day to day.',
        mend: 'Pin it, or map it with `external-images`.',
        file: 'web/Dockerfile',
        line: 52,
      },
    ],
  })
}

/** Stage 0 builds, the unnamed last stage copies: the user's href-counter. */
export function hrefCounter(): SummaryData {
  return summary({
    title: 'href-counter',
    graph: graphOf([
      { from: image('docker.io/library/golang:1.24-alpine') },
      { from: image('docker.io/library/alpine:latest'), needs: [['copy', stageSource(0)]] },
    ]),
    durationMs: 9_400,
    targets: [
      target('stage 1', {
        stage: 1,
        tags: ['alexellis2/href-counter:latest'],
        platforms: [
          platform('linux/amd64', { transfer: [1.9, 3.6], unpacked: [4.1, 8.2] }, 3),
          platform('linux/arm64', { transfer: [1.8, 3.9], unpacked: [3.9, 8.9] }, 4),
        ],
        durationMs: 8_800,
        steps: { run: 7, cached: 0 },
        leftBehind: [
          {
            stage: 0,
            name: undefined,
            line: 1,
            baseImage: 'golang:1.24-alpine',
            metric: 'unpacked',
            size: 328 * MB,
            approximate: false,
          },
        ],
      }),
    ],
    timeline: [
      ...steps('stage 0', undefined, [
        ['FROM golang:1.24-alpine', 100, 2_100],
        ['RUN go build -o app .', 2_300, 7_900],
      ]),
      ...steps('stage 1', undefined, [
        ['FROM alpine:latest', 100, 500, true],
        ['RUN apk --no-cache add ca-certificates', 500, 1_300, true],
        ['COPY --from=0 /go/src/github.com/alexellis/href-counter/app .', 7_900, 8_050],
      ]),
    ],
  })
}

/** The user's three ways to build one program: everything in one image, the builder pattern, multi-stage. */
export function helloworldThreeWays(): SummaryData {
  const builder = { stage: 0, name: 'builder', line: 1, baseImage: 'golang:1.24', metric: 'unpacked' } as const
  return summary({
    title: 'helloworld',
    durationMs: 21_700,
    graph: graphOf([
      { name: 'builder', from: image('docker.io/library/golang:1.24-alpine') },
      { name: 'single', from: stageSource(0) },
      {
        name: 'pattern',
        from: image('docker.io/library/alpine:latest'),
        needs: [['copy', image('docker.io/library/helloworld-build:latest')]],
      },
      { name: 'multi', from: image('docker.io/library/alpine:latest'), needs: [['copy', stageSource(0)]] },
    ]),
    sharedStages: [0],
    targets: [
      target('single', {
        stage: 1,
        platforms: [platform('linux/amd64', { transfer: [31, 78], unpacked: [41, 254] }, 2)],
        durationMs: 16_000,
      }),
      target('pattern', {
        stage: 2,
        platforms: [platform('linux/amd64', { transfer: [0.98, 2.1], unpacked: [2.02, 4.45] }, 3)],
        durationMs: 17_100,
      }),
      target('multi', {
        stage: 3,
        platforms: [platform('linux/amd64', { transfer: [0.98, 2.1], unpacked: [2.02, 4.45] }, 4)],
        durationMs: 16_800,
        leftBehind: [{ ...builder, size: 295 * MB, approximate: false }],
      }),
    ],
    externalImages: [{ image: 'docker.io/library/golang:1.24-alpine', digest: undefined, mapped: undefined }],
  })
}

/** Fifty stages: ten services on shared bases, tools, and some stages that no target needs. */
export function fiftyStages(): SummaryData {
  const sketches: StageSketch[] = [
    { name: 'base', from: image('docker.io/library/debian:13-slim') },
    { name: 'go', from: image('docker.io/library/golang:1.24') },
    { name: 'deps', from: stageSource(1) },
    { name: 'tools', from: stageSource(1) },
    { name: 'proto', from: stageSource(2), needs: [['mount', stageSource(3)]] },
  ]
  const services = Array.from({ length: 15 }, (_, i) => `service-${String.fromCharCode(97 + i)}`)
  const targets: TargetReport[] = []
  for (const [i, name] of services.entries()) {
    const build = sketches.length
    sketches.push({ name: `${name}-build`, from: stageSource(2), needs: [['copy', stageSource(4)]] })
    sketches.push({ name: `${name}-test`, from: stageSource(build) })
    sketches.push({ name, from: stageSource(0), needs: [['copy', stageSource(build)]] })
    targets.push(
      target(name, {
        stage: build + 2,
        tags: [`ghcr.io/org/${name}:main`],
        platforms: [platform('linux/amd64', { transfer: [2 + i, 28.2], unpacked: [5 + 2 * i, 74.8] }, i)],
        durationMs: 2_000 + 300 * i,
        leftBehind: [
          {
            stage: build,
            name: `${name}-build`,
            line: 1 + build * 10,
            baseImage: 'golang:1.24',
            metric: 'unpacked',
            size: (900 + i) * MB,
            approximate: true,
          },
        ],
      }),
    )
  }
  const timeline = services.flatMap((name, i) =>
    steps(`${name}-build`, name, [
      ['COPY . .', 3_000 + i * 300, 3_200 + i * 300, i % 3 === 0],
      [`RUN go build ./cmd/${name}`, 3_200 + i * 300, 8_000 + i * 500],
      ['COPY --from=proto /gen /src/gen', 2_900 + i * 300, 2_950 + i * 300],
      ['exporting', 8_000 + i * 500, 8_900 + i * 500],
    ]),
  )
  return summary({
    title: 'services',
    durationMs: 17_000,
    graph: graphOf(sketches),
    sharedStages: [0, 1, 2, 3, 4],
    targets,
    timeline,
  })
}

/** A failed `RUN`: one target failed, one was cancelled for it, one was ready before. */
export function oneFailed(): SummaryData {
  const good = nodeToNginx()
  return {
    ...good,
    durationMs: 12_600,
    targets: good.targets.map((each) =>
      each.name === 'production-stage'
        ? each
        : {
            ...each,
            status: each.name === 'test' ? 'failed' : 'skipped',
            platforms: [],
            digest: undefined,
            durationMs: undefined,
            steps: undefined,
          },
    ),
    failures: [
      {
        target: 'test',
        problem: {
          message: '`RUN npm test` ended with exit code 1.',
          mend: 'Its last lines are below.',
          file: 'web/Dockerfile',
          line: 24,
        },
        lastLines: [
          'FAIL src/cart.test.ts',
          '  ✕ adds up (4 ms)',
          '    Expected: 42',
          '    Received: \u001b[31m41\u001b[39m',
          'Tests: 1 failed, 118 passed',
        ],
      },
    ],
  }
}
