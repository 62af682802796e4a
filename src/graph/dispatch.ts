/**
 * Goes through the instructions of a stage as BuildKit does when it builds: expands variables, collects what is read of
 * the build context and fetched, and finds the faults that only count when the stage is needed.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatch)
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import type { EscapeCharacter } from '../dockerfile/directives.ts'
import { goQuote, rootedPath } from '../dockerfile/go-text.ts'
import type {
  AddInstruction,
  ArgInstruction,
  CopyInstruction,
  OtherInstruction,
  RunInstruction,
} from '../dockerfile/instructions.ts'
import { expandWord, splitWords } from '../dockerfile/lexer.ts'
import { parseMount, type Mount } from '../dockerfile/mount.ts'
import { cacheMountsOf } from './cache-mounts.ts'
import type { Command } from './commands.ts'
import { checkMountTarget, checkPort, checkSignal, checkVolume } from './config-rules.ts'
import { checkTransfer } from './copy-rules.ts'
import type { Environment } from './environment.ts'
import { isGitSource, isHttpSource } from './git-source.ts'
import type { ContextRead, RemoteSource, StageSource, StageStep, StepSource } from './stage-graph.ts'
import type { State } from './state-list.ts'
import { configWords, runWords, sourcePath, transferWords } from './steps.ts'

export interface DispatchOptions {
  readonly stage: number
  /** As BuildKit names the stage in messages. */
  readonly stageName: string
  readonly escape: EscapeCharacter
  readonly environment: Environment
  readonly globalArgs: ReadonlyMap<string, string>
  readonly buildArgs: ReadonlyMap<string, string>
  /** Whether a stage is there before this one: defined earlier, or replaced by a context. */
  readonly isBefore: (stage: number) => boolean
  /** Undefined where the base image decides. */
  readonly workdir: string | undefined
  readonly sourceOf: (state: State) => StageSource
}

/** What a stage's instructions came to. */
export interface Dispatched {
  readonly contextPaths: readonly string[]
  readonly reads: readonly ContextRead[]
  readonly remotes: readonly RemoteSource[]
  readonly undefinedVariables: readonly string[]
  readonly steps: readonly StageStep[]
  readonly workdir: string | undefined
  readonly faults: readonly { readonly fault: SyntaxFault; readonly command: Command }[]
}

/** Dispatches all commands of a stage; the environment afterwards is what its children begin with. */
export function dispatchStage(commands: readonly Command[], options: DispatchOptions): Dispatched {
  const dispatcher = new Dispatcher(options)
  const faults: { fault: SyntaxFault; command: Command }[] = []
  for (const command of commands) {
    try {
      dispatcher.dispatch(command)
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      faults.push({ fault: error, command })
    }
  }
  const { contextPaths, steps, undefinedVariables, workdir } = dispatcher
  return {
    ...{ contextPaths: [...contextPaths].sort(), steps, workdir, faults },
    reads: steps.flatMap((step) => step.reads),
    remotes: steps.flatMap((step) => step.remotes),
    undefinedVariables: [...undefinedVariables],
  }
}

class Dispatcher {
  readonly contextPaths = new Set<string>()
  readonly steps: StageStep[] = []
  readonly undefinedVariables = new Set<string>()
  workdir: string | undefined
  readonly #options: DispatchOptions
  /** Declared without a value: empty, but not unknown. */
  readonly #declared = new Set<string>()

  constructor(options: DispatchOptions) {
    this.#options = options
    this.workdir = options.workdir
  }

  dispatch(command: Command): void {
    const { instruction } = command
    switch (instruction.keyword) {
      case 'ARG': {
        const settings = this.#arg(instruction)
        this.#add(command, {
          effect: 'setting',
          settings,
          history: settings.map((pair) => JSON.stringify(pair)),
        })
        return
      }
      case 'ENV':
      case 'LABEL': {
        const pairs = instruction.pairs.map(({ name, value }) => [this.#expand(name), this.#expand(value)] as const)
        const history = pairs.map((pair) => JSON.stringify(pair))
        if (instruction.keyword === 'LABEL') {
          this.#add(command, { effect: 'config', history })
          return
        }
        for (const [name, value] of pairs) this.#options.environment.set(name, value)
        this.#add(command, { effect: 'setting', settings: pairs, history })
        return
      }
      case 'COPY':
      case 'ADD':
        this.#transfer(instruction, command)
        return
      case 'RUN':
        this.#run(instruction, command)
        return
      case 'ONBUILD':
        this.#add(command, { effect: 'config', history: [instruction.trigger] })
        return
      case 'CMD':
      case 'ENTRYPOINT':
      case 'EXPOSE':
      case 'HEALTHCHECK':
      case 'MAINTAINER':
      case 'SHELL':
      case 'STOPSIGNAL':
      case 'USER':
      case 'VOLUME':
      case 'WORKDIR':
        this.#other(instruction, command)
    }
  }

  #add({ instruction, isTrigger }: Command, step: Pick<StageStep, 'effect'> & Partial<StageStep>): void {
    const { keyword, line, endLine, text } = instruction
    const bodies = instruction.heredocs.map(({ body }) => body)
    const nothing = { settings: [], words: [], history: [], reads: [], remotes: [], sources: [], caches: [] }
    this.steps.push({ ...{ keyword, line, endLine, isTrigger, text, bodies }, ...nothing, ...step })
  }

  #expand(text: string): string {
    const { environment, escape } = this.#options
    const expansion = expandWord(text, environment.get, { escape })
    this.#note(expansion.unmatched)
    return expansion.text
  }

  #note(unmatched: ReadonlySet<string>): void {
    for (const name of unmatched) if (!this.#declared.has(name)) this.undefinedVariables.add(name)
  }

  #arg({ pairs }: ArgInstruction): StageStep['settings'] {
    const { buildArgs, globalArgs, environment } = this.#options
    return pairs.map(({ name, value }) => {
      const given = buildArgs.get(name)
      const inherited = value === undefined ? globalArgs.get(name) : undefined
      // A default is not even looked at where the build argument is given.
      const result = given ?? (value === undefined ? inherited : this.#expand(value))
      if (result !== undefined) environment.set(name, result)
      else if (environment.get(name) === undefined) this.#declared.add(name)
      return [name, result]
    })
  }

  #transfer(instruction: CopyInstruction | AddInstruction, command: Command): void {
    const { keyword, line, exclude } = instruction
    const chown = this.#expand(instruction.chown)
    const chmod = this.#expand(instruction.chmod)
    const checksum = keyword === 'ADD' ? this.#expand(instruction.checksum) : ''
    const sources = instruction.sources.map((source) => this.#expand(source))
    const destination = this.#expand(instruction.destination)
    const bodies = instruction.heredocSources.map(({ expand, body }) => (expand ? this.#expandBody(body) : body))
    const [from] = command.sources
    if (keyword === 'COPY' && typeof from === 'number' && !this.#isDispatched(from)) {
      const current = goQuote(this.#options.stageName)
      const wanted = goQuote(instruction.from)
      throw new SyntaxFault(`cannot copy from stage ${wanted}, it needs to be defined before current stage ${current}`)
    }
    checkTransfer({ keyword, sources, chmod, checksum })
    const words = transferWords(instruction, { sources, destination, chown, chmod, checksum, bodies }, this.workdir)
    const step = { effect: 'files', words, history: [...sources, destination] } as const
    const parents = keyword === 'COPY' && instruction.parents
    const via = keyword === 'COPY' ? 'copy' : 'add'
    if (from !== undefined) {
      const paths = sources.map((source) => sourcePath(source, parents))
      const read = { line, via, paths, exclude, parents } as const
      this.#add(command, { ...step, sources: [{ source: this.#options.sourceOf(from), read }] })
      return
    }
    const remote = (source: string): boolean => keyword === 'ADD' && (isHttpSource(source) || isGitSource(source))
    const remotes: readonly RemoteSource[] = sources
      .filter(remote)
      .map((source) => ({ line, source, checksum: checksum === '' ? undefined : checksum }))
    const paths = sources.filter((source) => !remote(source)).map((source) => sourcePath(source, parents))
    const reads: readonly ContextRead[] = paths.length > 0 ? [{ line, via, paths, exclude, parents }] : []
    this.#add(command, { ...step, reads, remotes })
    for (const source of sources) {
      if (keyword === 'COPY' || !/^https?:\/\//.test(source)) this.contextPaths.add(rootedPath(source))
    }
  }

  /** Bodies of heredocs are lexed with the backslash, and quotes are ordinary there. */
  #expandBody(body: string): string {
    const expansion = expandWord(body, this.#options.environment.get, { escape: '\\', ignoreQuotes: true })
    this.#note(expansion.unmatched)
    return expansion.text
  }

  #run(instruction: RunInstruction, command: Command): void {
    const mounts = instruction.mounts.map(({ text }) => parseMount(text, (value) => this.#expand(value)))
    const reads: ContextRead[] = []
    const sources: StepSource[] = []
    for (const [index, mount] of mounts.entries()) {
      const state = command.sources[index]
      const isOfContext = this.#mount(mount, state)
      const read = {
        ...{ line: instruction.line, via: 'mount' as const, exclude: [], parents: false },
        paths: [rootedPath(mount.source)],
      }
      if (isOfContext && mount.type === 'bind') reads.push(read)
      // Without `from` only a stage called `scratch` is one; for a cache it is what an empty cache begins with.
      const isFrom = mount.from !== '' || typeof state === 'number'
      if (!isOfContext && state !== undefined && isFrom) sources.push({ source: this.#options.sourceOf(state), read })
    }
    const caches = cacheMountsOf(mounts, command.sources)
    this.#add(command, { effect: 'run', words: runWords(instruction, mounts), reads, sources, caches })
  }

  /** Checks a mount; whether it is of the build context. */
  #mount({ type, from, source, target }: Mount, state: State | undefined): boolean {
    const wanted = from === '' && type === 'cache' ? 'scratch' : from
    if (wanted !== '' && typeof state === 'number' && !this.#isDispatched(state)) {
      const names = `${goQuote(wanted)} to ${goQuote(target)}`
      throw new SyntaxFault(`cannot mount from stage ${names}, stage needs to be defined before current command`)
    }
    if (type === 'secret' || type === 'ssh') return false
    checkMountTarget(target, this.workdir)
    if (wanted !== '') return false
    this.contextPaths.add(rootedPath(source))
    return true
  }

  /** A stage is there for its own triggers, too. */
  #isDispatched(stage: number): boolean {
    return stage === this.#options.stage || this.#options.isBefore(stage)
  }

  #other(instruction: OtherInstruction, command: Command): void {
    const { args, keyword } = instruction
    const config = (values: readonly string[]): void => {
      this.#add(command, { effect: 'config', history: configWords(instruction, values) })
    }
    switch (keyword) {
      case 'WORKDIR': {
        const path = this.#expand(args[0] ?? '')
        if (path.startsWith('/')) this.workdir = rootedPath(path)
        else if (this.workdir !== undefined) this.workdir = rootedPath(`${this.workdir}/${path}`)
        this.#add(command, { effect: 'files', words: [keyword, this.workdir ?? path], history: [path] })
        return
      }
      case 'USER': {
        const user = this.#expand(args[0] ?? '')
        this.#add(command, { effect: 'setting', settings: [['user', user]], history: [user] })
        return
      }
      case 'SHELL':
        this.#add(command, { effect: 'setting', settings: [['shell', JSON.stringify(args)]], history: args })
        return
      case 'STOPSIGNAL': {
        const signal = this.#expand(args[0] ?? '')
        checkSignal(signal)
        config([signal])
        return
      }
      case 'VOLUME': {
        const volumes = args.map((arg) => this.#expand(arg))
        volumes.forEach(checkVolume)
        config(volumes)
        return
      }
      case 'EXPOSE': {
        const { environment, escape } = this.#options
        const ports = args.flatMap((arg) => splitWords(arg, environment.get, { escape }))
        ports.forEach(checkPort)
        config(ports)
        return
      }
      case 'CMD':
      case 'ENTRYPOINT':
      case 'HEALTHCHECK':
      case 'MAINTAINER':
        config(args)
    }
  }
}
