/**
 * The variables that FROM can see: the automatic platform arguments, and the ARGs before the first FROM.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/platform.go (defaultArgs) and
 * convert.go (buildMetaArgs)
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import type { Dockerfile } from '../dockerfile/instructions.ts'
import { expandWord } from '../dockerfile/lexer.ts'
import { formatPlatform, type Platform } from './platform.ts'

export interface AutomaticArgsOptions {
  readonly buildArgs: ReadonlyMap<string, string>
  readonly buildPlatform: Platform
  readonly targetPlatform: Platform
  /** Empty where the last stage is the target and has no name. */
  readonly targetName: string
}

/** The arguments that are there unasked; a build argument of the same name wins. */
export function automaticArgs(options: AutomaticArgsOptions): ReadonlyMap<string, string> {
  const { buildArgs, targetName } = options
  const values: [string, string][] = [
    ...platformArgs('BUILD', options.buildPlatform),
    ...platformArgs('TARGET', options.targetPlatform),
    ['TARGETSTAGE', targetName === '' ? 'default' : targetName],
  ]
  return new Map(values.map(([name, value]) => [name, buildArgs.get(name) ?? value]))
}

function platformArgs(prefix: string, platform: Platform): [string, string][] {
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform.osVersion],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant],
  ]
}

export interface GlobalArgs {
  readonly values: ReadonlyMap<string, string>
  /** Every ARG named before the first FROM, with a value or without. */
  readonly declared: ReadonlySet<string>
  /** Names whose defaults the values depend on. */
  readonly usesTargetStage: boolean
}

export interface GlobalArgFault {
  readonly fault: SyntaxFault
  readonly line: number
  readonly endLine: number
}

/** The values after all global ARGs; faults are collected, and an ARG at fault stays as it was. */
export function globalArgs(
  dockerfile: Dockerfile,
  automatic: ReadonlyMap<string, string>,
  buildArgs: ReadonlyMap<string, string>,
): GlobalArgs & { readonly faults: readonly GlobalArgFault[] } {
  const values = new Map(automatic)
  const declared = new Set<string>()
  const faults: GlobalArgFault[] = []
  let usesTargetStage = false
  for (const { pairs, line, endLine } of dockerfile.globalArgs) {
    for (const { name, value } of pairs) {
      declared.add(name)
      const given = buildArgs.get(name)
      if (given !== undefined) values.set(name, given)
      if (given !== undefined || value === undefined) continue
      try {
        const expansion = expandWord(value, (key) => values.get(key), { escape: dockerfile.escape })
        usesTargetStage ||= expansion.matched.has('TARGETSTAGE')
        values.set(name, expansion.text)
      } catch (error) {
        if (!(error instanceof SyntaxFault)) throw error
        faults.push({ fault: error, line, endLine })
      }
    }
  }
  return { values, declared, usesTargetStage, faults }
}
