/**
 * The program behind `docker buildx`. Docker asks each of its plugins who it is before it starts one, which takes longer
 * than most of what is asked of buildx; started by itself, buildx does the same with the same settings.
 */
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'
import { dockerFolder } from '../images/docker-credentials.ts'
import { field, list, parseJson } from '../json-fields.ts'
import { findProgram } from '../process.ts'

const PLUGIN = 'docker-buildx'

/** https://github.com/docker/cli/blob/v28.5.2/cli-plugins/manager/manager_unix.go */
const SYSTEM_FOLDERS = ['local/lib', 'local/libexec', 'lib', 'libexec'].map((name) => `/usr/${name}/docker/cli-plugins`)

/** By this variable a plugin takes itself for one that docker has started. */
const STARTED_BY_DOCKER = 'DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND'

/**
 * The plugin that docker would run; undefined where docker had better be asked: it is not there, it is a script (which may
 * set what docker needs), or the plugin is none that can run by itself. At once: of so many trips through the thread pool each would
 * wait for whatever else is read and run, and buildx is waited for already.
 * https://github.com/docker/cli/blob/v28.5.2/cli-plugins/manager/manager.go#L57 (getPluginDirs, PluginRunCommand)
 * https://github.com/docker/buildx/blob/v0.29.1/cmd/buildx/main.go#L37 (runStandalone)
 */
export function findBuildx(env: NodeJS.ProcessEnv): string | undefined {
  if (env[STARTED_BY_DOCKER] !== undefined) return undefined
  const docker = findProgram('docker', env['PATH'] ?? '')
  if (docker === undefined || !isBinary(docker)) return undefined
  const config = dockerFolder(env, env['HOME'] ?? homedir())
  const extra = extraFolders(join(config, 'config.json'))
  if (extra === undefined) return undefined
  for (const folder of [...extra, join(config, 'cli-plugins'), ...SYSTEM_FOLDERS]) {
    const file = join(folder, PLUGIN)
    // As docker: the first that is there is it, whatever it is.
    if (isThere(file)) return isBinary(file) ? file : undefined
  }
  return undefined
}

/** Whether docker would stop its search here. */
function isThere(file: string): boolean {
  try {
    statSync(file)
    return true
  } catch (error) {
    return errorCode(error) !== 'ENOENT'
  }
}

/** Folders that docker's configuration names; undefined where it cannot be read. */
function extraFolders(file: string): readonly string[] | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? [] : undefined
  }
  const config = parseJson(text)
  if (config === undefined) return undefined
  const folders = list(field(config, 'cliPluginsExtraDirs'))
  return folders.every((folder) => typeof folder === 'string') ? folders : undefined
}

/** Whether it is a program of the machine (ELF, Mach-O), and not a script. */
function isBinary(file: string): boolean {
  const start = Buffer.alloc(4)
  try {
    const handle = openSync(file, 'r')
    try {
      readSync(handle, start, 0, start.length, 0)
    } finally {
      closeSync(handle)
    }
  } catch {
    return false
  }
  return ['7f454c46', 'cffaedfe', 'cafebabe'].includes(start.toString('hex'))
}
