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
import type { Command } from './commands.ts'
import { checkPort, checkSignal, checkVolume } from './config-rules.ts'
import { checkTransfer } from './copy-rules.ts'
import type { Environment } from './environment.ts'
import { isGitSource, isHttpSource } from './git-source.ts'
import type { ContextRead, RemoteSource } from './stage-graph.ts'

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
}

/** What a stage's instructions came to. */
export interface Dispatched {
  readonly contextPaths: readonly string[]
  readonly reads: readonly ContextRead[]
  readonly remotes: readonly RemoteSource[]
  readonly undefinedVariables: readonly string[]
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
  const { contextPaths, reads, remotes, undefinedVariables, workdir } = dispatcher
  return {
    ...{ contextPaths: [...contextPaths].sort(), reads, remotes, workdir, faults },
    undefinedVariables: [...undefinedVariables],
  }
}

class Dispatcher {
  readonly contextPaths = new Set<string>()
  readonly reads: ContextRead[] = []
  readonly remotes: RemoteSource[] = []
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
      case 'ARG':
        this.#arg(instruction)
        return
      case 'ENV':
      case 'LABEL': {
        const pairs = instruction.pairs.map(({ name, value }) => [this.#expand(name), this.#expand(value)] as const)
        if (instruction.keyword === 'LABEL') return
        for (const [name, value] of pairs) this.#options.environment.set(name, value)
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
        this.#other(instruction)
    }
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

  #arg({ pairs }: ArgInstruction): void {
    const { buildArgs, globalArgs, environment } = this.#options
    for (const { name, value } of pairs) {
      const given = buildArgs.get(name)
      const inherited = value === undefined ? globalArgs.get(name) : undefined
      // A default is not even looked at where the build argument is given.
      const result = given ?? (value === undefined ? inherited : this.#expand(value))
      if (result !== undefined) environment.set(name, result)
      else if (environment.get(name) === undefined) this.#declared.add(name)
    }
  }

  #transfer(instruction: CopyInstruction | AddInstruction, command: Command): void {
    const { keyword, line, exclude } = instruction
    this.#expand(instruction.chown)
    const chmod = this.#expand(instruction.chmod)
    const checksum = keyword === 'ADD' ? this.#expand(instruction.checksum) : ''
    const sources = instruction.sources.map((source) => this.#expand(source))
    this.#expand(instruction.destination)
    for (const { expand, body } of instruction.heredocSources) if (expand) this.#expandBody(body)
    const [from] = command.sources
    if (keyword === 'COPY' && typeof from === 'number' && !this.#isDispatched(from)) {
      const current = goQuote(this.#options.stageName)
      const wanted = goQuote(instruction.from)
      throw new SyntaxFault(`cannot copy from stage ${wanted}, it needs to be defined before current stage ${current}`)
    }
    checkTransfer({ keyword, sources, chmod, checksum })
    if (from !== undefined) return
    const remote = (source: string): boolean => keyword === 'ADD' && (isHttpSource(source) || isGitSource(source))
    for (const source of sources.filter(remote)) {
      this.remotes.push({ line, source, checksum: checksum === '' ? undefined : checksum })
    }
    const paths = sources.filter((source) => !remote(source)).map(rootedPath)
    const parents = keyword === 'COPY' && instruction.parents
    if (paths.length > 0) this.reads.push({ line, via: keyword === 'COPY' ? 'copy' : 'add', paths, exclude, parents })
    for (const source of sources) {
      if (keyword === 'COPY' || !/^https?:\/\//.test(source)) this.contextPaths.add(rootedPath(source))
    }
  }

  /** Bodies of heredocs are lexed with the backslash, and quotes are ordinary there. */
  #expandBody(body: string): void {
    const expansion = expandWord(body, this.#options.environment.get, { escape: '\\', ignoreQuotes: true })
    this.#note(expansion.unmatched)
  }

  #run({ mounts, line }: RunInstruction, command: Command): void {
    const parsed = mounts.map(({ text }) => parseMount(text, (value) => this.#expand(value)))
    for (const [index, mount] of parsed.entries()) this.#mount(mount, command.sources[index], line)
  }

  #mount({ type, from, source, target }: Mount, state: Command['sources'][number] | undefined, line: number): void {
    const wanted = from === '' && type === 'cache' ? 'scratch' : from
    if (wanted !== '' && typeof state === 'number' && !this.#isDispatched(state)) {
      const names = `${goQuote(wanted)} to ${goQuote(target)}`
      throw new SyntaxFault(`cannot mount from stage ${names}, stage needs to be defined before current command`)
    }
    if (type === 'secret' || type === 'ssh') return
    this.#checkTarget(target)
    if (wanted !== '') return
    const path = rootedPath(source)
    this.contextPaths.add(path)
    if (type === 'bind') this.reads.push({ line, via: 'mount', paths: [path], exclude: [], parents: false })
  }

  /** Nothing can be mounted over the root. Where the base image sets the directory, only a missing target is certain. */
  #checkTarget(target: string): void {
    if (!target.startsWith('/') && target !== '' && this.workdir === undefined) return
    // An absolute target is not cleaned: `/x/..` passes.
    const resolved = target.startsWith('/') ? target : rootedPath(`${this.workdir ?? ''}/${target}`)
    if (resolved === '/') throw new SyntaxFault(`invalid mount target ${goQuote('/')}`)
  }

  /** A stage is there for its own triggers, too. */
  #isDispatched(stage: number): boolean {
    return stage === this.#options.stage || this.#options.isBefore(stage)
  }

  #other(instruction: OtherInstruction): void {
    switch (instruction.keyword) {
      case 'WORKDIR': {
        const path = this.#expand(instruction.args[0] ?? '')
        if (path.startsWith('/')) this.workdir = rootedPath(path)
        else if (this.workdir !== undefined) this.workdir = rootedPath(`${this.workdir}/${path}`)
        return
      }
      case 'USER':
        this.#expand(instruction.args[0] ?? '')
        return
      case 'STOPSIGNAL':
        checkSignal(this.#expand(instruction.args[0] ?? ''))
        return
      case 'VOLUME':
        instruction.args.map((arg) => this.#expand(arg)).forEach(checkVolume)
        return
      case 'EXPOSE': {
        const { environment, escape } = this.#options
        instruction.args.flatMap((arg) => splitWords(arg, environment.get, { escape })).forEach(checkPort)
        return
      }
      case 'CMD':
      case 'ENTRYPOINT':
      case 'HEALTHCHECK':
      case 'MAINTAINER':
      case 'SHELL':
        return
    }
  }
}
