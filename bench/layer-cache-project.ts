/**
 * The project that the layer-cache bench builds: ten small Go services in one Dockerfile, on a shared stage with a
 * dependency-like step, and a base image of about 300 MB. Standard library only.
 */
import { createCipheriv } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { runProcess } from '../src/process.ts'

/** What the services' build stages are based on, in the local registry. */
export const BASE_IMAGE = 'bench/golang-300:1'
/** The stand-in for Go is about 113 MB. */
const FILLER_BYTES = 190_000_000

/** The services of the whole project. */
export const SERVICES: readonly string[] = Array.from({ length: 10 }, (_, index) => `svc${index + 1}`)

const PACKAGES = ['config', 'store', 'render', 'queue']

export class BenchProject implements AsyncDisposable {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** @param images host of the registry that base images come from */
  static async make(images: string, services: readonly string[] = SERVICES): Promise<BenchProject> {
    const project = new BenchProject(await mkdtemp(join(tmpdir(), 'stage-build-layers-')))
    await project.write('Dockerfile', dockerfile(images, services))
    await project.write('go.mod', GO_MOD)
    for (const name of PACKAGES) await project.write(`internal/${name}/${name}.go`, sharedPackage(name))
    for (const service of services) await project.write(`cmd/${service}/main.go`, mainOf(service, 1))
    return project
  }

  /** Four layers of half a gigabyte, and a step after them that needs all four. */
  static async makeLarge(images: string): Promise<BenchProject> {
    const project = new BenchProject(await mkdtemp(join(tmpdir(), 'stage-build-layers-')))
    const layers = [1, 2, 3, 4].map((layer) => `RUN head -c 512M /dev/urandom > /layer${layer}`)
    const lines = [
      `FROM ${images}/library/debian:trixie-slim AS large`,
      ...layers,
      'COPY note.txt /note.txt',
      'RUN cat /layer* | wc -c > /size',
    ]
    await project.write('Dockerfile', `${lines.join('\n')}\n`)
    await project.write('note.txt', 'one\n')
    return project
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.directory, path)), { recursive: true })
    await writeFile(join(this.directory, path), text)
  }

  /** A new version of a service's only source file. */
  async changeService(service: string, version: number): Promise<void> {
    await this.write(`cmd/${service}/main.go`, mainOf(service, version))
  }

  async changeDependencies(version: number): Promise<void> {
    await this.write('go.mod', `${GO_MOD}// version ${version}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Makes the base image, unless the registry has it: Go's stand-in and a file that cannot be compressed, always the same. */
export async function provideBase(registry: string): Promise<void> {
  const [repository = '', tag = ''] = BASE_IMAGE.split(':')
  const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'
  const found = await fetch(`http://${registry}/v2/${repository}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept },
  })
  if (found.ok) return
  const context = await mkdtemp(join(tmpdir(), 'stage-build-base-'))
  try {
    const cipher = createCipheriv('aes-256-ctr', Buffer.alloc(32, 1), Buffer.alloc(16, 2))
    await pipeline(Readable.from(zeros(FILLER_BYTES)), cipher, createWriteStream(join(context, 'filler')))
    await writeFile(join(context, 'Dockerfile'), `FROM ${registry}/library/golang:latest\nCOPY filler /opt/filler\n`)
    const output = `--output=type=image,push=true,store=false,name=${registry}/${BASE_IMAGE}`
    const args = ['buildx', 'build', '--provenance=false', '--build-arg=SOURCE_DATE_EPOCH=1735689600', output, context]
    const { code, stderr } = await runProcess('docker', args)
    if (code !== 0) throw new Error(`the base image could not be made:\n${stderr}`)
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

function* zeros(bytes: number): Generator<Buffer> {
  const chunk = Buffer.alloc(1_000_000)
  for (let left = bytes; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length))
}

const GO_MOD = 'module example.com/shop\n\ngo 1.22\n'

/** The step after `COPY go.mod` stands for a download of dependencies that are compiled: seconds, and a layer of 50–60 MB. */
function dockerfile(images: string, services: readonly string[]): string {
  const base = [
    `FROM ${images}/${BASE_IMAGE} AS base`,
    'WORKDIR /src',
    'COPY go.mod ./',
    'RUN CGO_ENABLED=0 go build fmt os sort strings && head -c 42M /dev/urandom > /opt/modules',
    'COPY internal ./internal',
  ]
  const stages = services.flatMap((service) => [
    `FROM base AS build-${service}`,
    `COPY cmd/${service} ./cmd/${service}`,
    `RUN CGO_ENABLED=0 go build -ldflags='-s -w' -o /out/${service} ./cmd/${service}`,
    `FROM ${images}/library/debian:trixie-slim AS ${service}`,
    `COPY --from=build-${service} /out/${service} /usr/local/bin/${service}`,
    `ENTRYPOINT ["/usr/local/bin/${service}"]`,
  ])
  return `${[...base, ...stages].join('\n')}\n`
}

function sharedPackage(name: string): string {
  const functions = Array.from({ length: 40 }, (_, index) => {
    const body = `\tkeys := []string{prefix, "${name}", "part${index}"}\n\tsort.Strings(keys)\n\treturn strings.Join(keys, "/")`
    return `// Part${index} gives the parts of a key in order.\nfunc Part${index}(prefix string) string {\n${body}\n}\n`
  })
  return `package ${name}\n\nimport (\n\t"sort"\n\t"strings"\n)\n\n${functions.join('\n')}`
}

function mainOf(service: string, version: number): string {
  const imports = ['fmt', 'os', ...PACKAGES.map((name) => `example.com/shop/internal/${name}`)]
  const parts = PACKAGES.map((name, index) => `${name}.Part${index}("${service}")`).join(', ')
  return `package main

import (
${imports.map((path) => `\t"${path}"`).join('\n')}
)

func main() {
	parts := []string{${parts}}
	if len(parts) == 0 {
		os.Exit(1)
	}
	fmt.Println("${service}", ${version}, parts)
}
`
}
