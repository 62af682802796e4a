/** What bake files say of a target, as the step's inputs, which are laid over it. Pure. */
import type { BakeFileTarget } from './build/bake-targets.ts'
import { hostOf } from './input-forms.ts'
import type { Inputs } from './inputs.ts'

/**
 * A leg of a matrix gives `platforms` as the plan told them. Where the files say the same of what is asked for, those that it
 * is built from keep their own: the plan has read them so, too.
 */
export function withoutSaidPlatforms(
  inputs: Inputs,
  { targets, asked }: { readonly targets: readonly BakeFileTarget[]; readonly asked: readonly string[] },
): Inputs {
  const text = (platforms: readonly string[]): string => [...platforms].sort().join()
  const wanted = targets.filter(({ name }) => asked.includes(name))
  const isSaid = wanted.every(({ platforms }) => text(platforms) === text(inputs.platforms))
  return isSaid ? { ...inputs, platforms: [] } : inputs
}

/** What the files say of a target, with the step's inputs over it. */
export function laidOver(inputs: Inputs, target: BakeFileTarget, file: string): Inputs {
  const own = <T>(given: readonly T[], written: readonly T[]): readonly T[] => (given.length > 0 ? given : written)
  const ids = new Set(inputs.secrets.map(({ id }) => id))
  const hosts = new Set(inputs.addHosts.map(hostOf))
  const said = new Set([
    ...inputs.attests.map(typeOf),
    ...(inputs.provenance === undefined ? [] : ['provenance']),
    ...(inputs.sbom === undefined ? [] : ['sbom']),
  ])
  return {
    ...inputs,
    ...{ context: target.context, file, pull: inputs.pull || target.pull, noCache: inputs.noCache || target.noCache },
    buildContexts: target.contexts.map(({ key, value }) => ({ key, value: localPath(value) })),
    buildArgs: { ...target.args, ...inputs.buildArgs },
    platforms: own(inputs.platforms, target.platforms),
    labels: [...target.labels, ...inputs.labels],
    annotations: [...target.annotations, ...inputs.annotations],
    secrets: [...target.secrets.filter(({ id }) => !ids.has(id)), ...inputs.secrets],
    ssh: [...new Set([...target.ssh, ...inputs.ssh])],
    outputs: own(inputs.outputs, outputsOf(target, inputs)),
    cacheFrom: own(inputs.cacheFrom, target.cacheFrom),
    cacheTo: own(inputs.cacheTo, target.cacheTo),
    attests: [...target.attests.filter((line) => !said.has(typeOf(line))), ...inputs.attests],
    noCacheFilters: own(inputs.noCacheFilters, target.noCacheFilters),
    network: inputs.network ?? target.network,
    addHosts: [...target.addHosts.filter((line) => !hosts.has(hostOf(line))), ...inputs.addHosts],
    shmSize: inputs.shmSize ?? target.shmSize,
    ulimit: own(inputs.ulimit, target.ulimits),
    allow: [...new Set([...target.entitlements, ...inputs.allow])],
  }
}

function typeOf(attest: string): string {
  return /(?:^|,)"?type=([^,"]*)/.exec(attest)?.[1] ?? ''
}

/** Without those that say only what `push` and `load` say, too: they would keep an unchanged target from being skipped. */
function outputsOf({ outputs }: BakeFileTarget, { push, load }: Inputs): readonly string[] {
  const isTold = (line: string): boolean =>
    line === 'type=cacheonly' ||
    (push && /^type=(?:registry|image)(?:,push=true)?$/.test(line)) ||
    (load && line === 'type=docker')
  return outputs.filter((line) => !isTold(line))
}

/** As it counts from the workspace. */
export function localPath(path: string): string {
  return path.replace(/^cwd:\/\//, '')
}
