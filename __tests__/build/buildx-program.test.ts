import { describe, expect, it } from '@jest/globals'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { findBuildx } from '../../src/build/buildx-program.ts'

const SCRIPT = '#!/bin/sh\nexit 0\n'

/** A home with a docker on PATH, and folders that may hold plugins. */
class Home implements AsyncDisposable {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  static async make(): Promise<Home> {
    return new Home(await mkdtemp(join(tmpdir(), 'stage-build-home-')))
  }

  get env(): NodeJS.ProcessEnv {
    return { HOME: this.directory, PATH: ['relative', join(this.directory, 'bin')].join(delimiter) }
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts)
  }

  /** A real program: this machine's Node, under that name. */
  async program(...parts: readonly string[]): Promise<string> {
    const path = await this.#place(parts)
    await symlink(process.execPath, path)
    return path
  }

  async script(...parts: readonly string[]): Promise<string> {
    const path = await this.#place(parts)
    await writeFile(path, SCRIPT)
    await chmod(path, 0o755)
    return path
  }

  async configure(text: string): Promise<void> {
    await writeFile(await this.#place(['.docker', 'config.json']), text)
  }

  async #place(parts: readonly string[]): Promise<string> {
    const path = this.path(...parts)
    await mkdir(join(path, '..'), { recursive: true })
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}

describe('findBuildx', () => {
  it('finds the plugin in the folder of docker’s settings', async () => {
    await using home = await Home.make()
    await home.program('bin', 'docker')
    const plugin = await home.program('.docker', 'cli-plugins', 'docker-buildx')
    expect(findBuildx(home.env)).toBe(plugin)
  })

  it('looks first where the settings say, then in their folder', async () => {
    await using home = await Home.make()
    await home.program('bin', 'docker')
    await home.program('.docker', 'cli-plugins', 'docker-buildx')
    const own = await home.program('own', 'docker-buildx')
    await home.configure(JSON.stringify({ cliPluginsExtraDirs: [home.path('nothing'), home.path('own')] }))
    expect(findBuildx(home.env)).toBe(own)
  })

  it('takes DOCKER_CONFIG for the folder of the settings', async () => {
    await using home = await Home.make()
    await home.program('bin', 'docker')
    await home.program('.docker', 'cli-plugins', 'docker-buildx')
    const plugin = await home.program('settings', 'cli-plugins', 'docker-buildx')
    expect(findBuildx({ ...home.env, DOCKER_CONFIG: home.path('settings') })).toBe(plugin)
  })

  it('leaves it to docker where docker or the plugin is a script', async () => {
    await using home = await Home.make()
    await home.script('bin', 'docker')
    await home.program('.docker', 'cli-plugins', 'docker-buildx')
    expect(findBuildx(home.env)).toBeUndefined()
    await rm(home.path('bin', 'docker'))
    await home.program('bin', 'docker')
    await rm(home.path('.docker', 'cli-plugins', 'docker-buildx'))
    await home.script('.docker', 'cli-plugins', 'docker-buildx')
    expect(findBuildx(home.env)).toBeUndefined()
  })

  it('leaves it to docker where its settings cannot be read, or hold something else', async () => {
    await using home = await Home.make()
    await home.program('bin', 'docker')
    await home.program('.docker', 'cli-plugins', 'docker-buildx')
    for (const text of ['{', JSON.stringify({ cliPluginsExtraDirs: [1] })]) {
      await home.configure(text)
      expect(findBuildx(home.env)).toBeUndefined()
    }
  })

  it('leaves it to docker where a folder of plugins is a file: docker stops there, and says so', async () => {
    await using home = await Home.make()
    await home.program('bin', 'docker')
    await home.program('.docker', 'cli-plugins', 'docker-buildx')
    const file = await home.script('own')
    await home.configure(JSON.stringify({ cliPluginsExtraDirs: [file] }))
    expect(findBuildx(home.env)).toBeUndefined()
  })

  it('leaves it to docker where a plugin would take itself for one that docker has started', async () => {
    await using home = await Home.make()
    await home.program('bin', 'docker')
    await home.program('.docker', 'cli-plugins', 'docker-buildx')
    expect(findBuildx({ ...home.env, DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND: 'docker' })).toBeUndefined()
  })

  it('leaves it to docker where there is no docker', async () => {
    await using home = await Home.make()
    await home.program('.docker', 'cli-plugins', 'docker-buildx')
    expect(findBuildx(home.env)).toBeUndefined()
  })
})
