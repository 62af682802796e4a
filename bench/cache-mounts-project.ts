/** The project that the cache-mount bench builds: a Go program of many packages, standard library only, compiled with a cache mount. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const PACKAGES = 220

const FUNCTIONS = 24

export class GoProject implements AsyncDisposable {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** @param images host of the registry that base images come from */
  static async make(images: string): Promise<GoProject> {
    const project = new GoProject(await mkdtemp(join(tmpdir(), 'stage-build-mounts-bench-')))
    const dockerfile = [
      `FROM ${images}/library/golang:1.24 AS build`,
      'ENV HOME=/root CGO_ENABLED=0',
      'WORKDIR /src',
      'COPY . .',
      "RUN --mount=type=cache,target=/root/.cache/go-build go build -ldflags='-s -w' -o /out/app .",
      'FROM scratch AS app',
      'COPY --from=build /out/app /app',
      'ENTRYPOINT ["/app"]',
    ]
    await project.#write('Dockerfile', `${dockerfile.join('\n')}\n`)
    await project.#write('.dockerignore', 'Dockerfile\n')
    await project.#write('go.mod', 'module example.com/many\n\ngo 1.22\n')
    await project.#write('main.go', main())
    for (let index = 0; index < PACKAGES; index++) await project.change(index, 1)
    return project
  }

  /** A new version of a package's only source file. */
  async change(index: number, version: number): Promise<void> {
    await this.#write(`parts/part${index}/part.go`, part(index, version))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }

  async #write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.directory, path)), { recursive: true })
    await writeFile(join(this.directory, path), text)
  }
}

function main(): string {
  const names = Array.from({ length: PACKAGES }, (_, index) => `part${index}`)
  const imports = names.map((name) => `\t"example.com/many/parts/${name}"`)
  const calls = names.map((name) => `\ttotal += ${name}.Sum(total)`)
  return `package main

import (
	"fmt"
	"net/http"

${imports.join('\n')}
)

func main() {
	total := 0
${calls.join('\n')}
	fmt.Println(total, http.StatusText(total))
}
`
}

function part(index: number, version: number): string {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, number) => `// Step${number} is one of many.
func Step${number}(values map[string][]int, key string) ([]byte, error) {
	list := append([]int(nil), values[key]...)
	sort.Slice(list, func(a, b int) bool { return list[a]*${number + 2}%7 < list[b]*${number + 2}%7 })
	words := make([]string, 0, len(list))
	for _, value := range list {
		words = append(words, fmt.Sprintf("%s-%d-%d", key, value, ${index + number}))
	}
	return json.Marshal(map[string]any{"version": ${version}, "words": strings.Join(words, ",")})
}
`,
  )
  const calls = functions.map(
    (_, number) => `\tif b, err := Step${number}(values, "k"); err == nil {\n\t\ttotal += len(b)\n\t}`,
  )
  return `package part${index}

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

${functions.join('\n')}
// Sum calls them all.
func Sum(total int) int {
	values := map[string][]int{"k": {total, ${index}}}
${calls.join('\n')}
	return total
}
`
}
