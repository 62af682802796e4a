/**
 * Why a target is built: two prints walked side by side from the target's stage down, to the inputs that differ. A stage
 * that differs only by what it takes from another one is passed through. Pure.
 */
import { distinct } from '../json-fields.ts'
import { compareLists, tellChanges, type FileList } from './file-lists.ts'
import type { PlanReason } from './plan.ts'
import type { PrintedSource, StagePrint, StepPrint } from './stage-print.ts'
import type { PlatformPrint, TargetPrint } from './target-print.ts'

/** A print, with what it needs to name files. */
export interface ComparedPrint {
  readonly print: Pick<TargetPrint, 'platforms' | 'fields'>
  /** The files behind a source's digest; undefined where they are not known. */
  readonly filesOf: (digest: string) => FileList | undefined
}

/** The reasons, the deepest stage first, each once; empty where nothing comparable differs. */
export function reasonsOf(before: ComparedPrint, now: ComparedPrint): readonly PlanReason[] {
  const reasons: PlanReason[] = []
  const [old, current] = [before.print.platforms, now.print.platforms]
  const [names, wanted] = [old, current].map((all) => all.map(({ platform }) => platform))
  if (String(names) !== String(wanted)) {
    reasons.push({ kind: 'platform', text: `platforms ${tell(names)} → ${tell(wanted)}` })
  }
  for (const platform of current) {
    const counterpart = old.find((candidate) => candidate.platform === platform.platform)
    if (counterpart !== undefined) reasons.push(...new Walk(counterpart, platform, before, now).reasons())
  }
  const fields = differing(before.print.fields, now.print.fields, ({ digest }) => digest)
  // What an attestation tells besides is mostly told already.
  const isBeside = (field: string): boolean => field.startsWith('provenance (')
  reasons.push(...fields.filter((field) => !isBeside(field)).map(optionReason))
  if (reasons.length === 0) reasons.push(...fields.map(optionReason))
  return distinct(reasons)
}

function optionReason(name: string): PlanReason {
  return { kind: 'option', text: `\`${name}\` changed` }
}

/** Names of what is in one list alone, or differs. */
function differing<T extends { readonly name: string }>(
  before: readonly T[],
  now: readonly T[],
  valueOf: (item: T) => string,
): readonly string[] {
  const [old, current] = [before, now].map((list) => new Map(list.map((item) => [item.name, valueOf(item)])))
  const names = new Set([...now, ...before].map(({ name }) => name))
  return [...names].filter((name) => old?.get(name) !== current?.get(name))
}

function tell(names: readonly string[] | undefined): string {
  return names === undefined || names.length === 0 ? 'none' : names.join(', ')
}

class Walk {
  readonly #old: ReadonlyMap<number, StagePrint>
  readonly #now: ReadonlyMap<number, StagePrint>
  readonly #targets: readonly [StagePrint | undefined, StagePrint | undefined]
  readonly #filesBefore: ComparedPrint['filesOf']
  readonly #filesNow: ComparedPrint['filesOf']
  readonly #seen = new Set<string>()
  readonly #reasons: PlanReason[] = []

  constructor(
    before: PlatformPrint,
    now: PlatformPrint,
    { filesOf: filesBefore }: ComparedPrint,
    { filesOf }: ComparedPrint,
  ) {
    this.#old = new Map(before.stages.map((stage) => [stage.index, stage]))
    this.#now = new Map(now.stages.map((stage) => [stage.index, stage]))
    this.#targets = [before.stages.at(-1), now.stages.at(-1)]
    this.#filesBefore = filesBefore
    this.#filesNow = filesOf
  }

  reasons(): readonly PlanReason[] {
    this.#compare(...this.#targets, { config: true })
    return this.#reasons
  }

  /** @param config whether the stage's configuration becomes the target's: it is the target, or beneath it */
  #compare(
    before: StagePrint | undefined,
    now: StagePrint | undefined,
    { config }: { readonly config: boolean },
  ): void {
    if (before === undefined || now === undefined) return
    const key = `${before.index} ${now.index} ${String(config)}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    if (before.platform !== now.platform) {
      this.#tell(now, {
        kind: 'platform',
        line: now.line,
        text: `the platform ${before.platform} is ${now.platform} now`,
      })
    }
    for (const name of differing(before.options, now.options, ({ value }) => value)) {
      this.#reasons.push(optionReason(name))
    }
    this.#sources(now, { line: now.line, config }, [before.base], [now.base])
    // Of a stage that others only take files from, what shapes no file is passed over.
    const [olds, steps] = [before, now].map((stage) => stage.steps.filter(({ words }) => config || words !== ''))
    const variables = changedVariables(before, now)
    for (let index = 0; index < Math.max(olds?.length ?? 0, steps?.length ?? 0); index++) {
      const [old, current] = [olds?.[index], steps?.[index]]
      if (old !== undefined && current !== undefined && this.#isSame(old, current, config)) {
        this.#settings(now, { old, current, config, variables })
        this.#sources(now, { line: current.line, config: false, step: current }, old.sources, current.sources)
        continue
      }
      this.#instruction(now, old, current)
      // What follows cannot be set side by side.
      return
    }
  }

  /** Whether the two do the same, whatever they are given. */
  #isSame(old: StepPrint, now: StepPrint, config: boolean): boolean {
    if (old.keyword !== now.keyword || (old.words === '') !== (now.words === '')) return false
    // With equal words in the file, a variable is what differs, and that is told by its name.
    if (old.written === now.written) return true
    return old.words === now.words && (old.history === now.history || !config) && now.words !== ''
  }

  #settings(
    stage: StagePrint,
    {
      old,
      current: now,
      config,
      variables,
    }: {
      readonly old: StepPrint
      readonly current: StepPrint
      readonly config: boolean
      readonly variables: ReadonlyMap<string, number>
    },
  ): void {
    const settings = new Map(old.settings.map(({ name, value }) => [name, value]))
    const changed = now.settings.filter(({ name, value }) => settings.get(name) !== value)
    const gone = old.settings.filter(({ name }) => !now.settings.some((setting) => setting.name === name))
    for (const { name, stage: index, line } of changed) {
      this.#tell(this.#now.get(index) ?? stage, { kind: 'arg', line, text: settingText(name, 'changed') })
    }
    for (const { name } of gone) this.#tell(stage, { kind: 'arg', line: now.line, text: settingText(name, 'is gone') })
    if (changed.length + gone.length > 0) return
    const isConfig = config && old.history !== now.history
    if (old.words === now.words && !isConfig) return
    const names = [...now.text.matchAll(/[$]\{?(\w+)/g)].map(([, name = '']) => `$${name}`)
    const used = [...variables].filter(([name]) => names.includes(name) || now.text.includes('<<'))
    for (const [name, line] of used) this.#tell(stage, { kind: 'arg', line, text: settingText(name, 'changed') })
    if (used.length > 0) return
    const order = old.settings.length > 1 ? 'the order of variables' : 'a variable'
    this.#tell(stage, { kind: 'arg', line: now.line, text: `${order} in ${instructionText(now)} changed` })
  }

  #sources(
    stage: StagePrint,
    { line, config, step }: { readonly line: number; readonly config: boolean; readonly step?: StepPrint },
    before: readonly PrintedSource[],
    now: readonly PrintedSource[],
  ): void {
    for (const [index, current] of now.entries()) {
      const old = before[index]
      const isStage = old?.kind === 'stage' && current.kind === 'stage'
      if (isStage) {
        // A base hands on more than its files.
        if (old.digest !== current.digest || config) {
          this.#compare(this.#old.get(Number(old.name)), this.#now.get(Number(current.name)), { config })
        }
      } else if (!isSameSource(old, current)) {
        this.#tell(stage, { line, ...this.#sourceReason(old, current, step) })
      }
    }
  }

  #sourceReason(
    old: PrintedSource | undefined,
    now: PrintedSource,
    step: StepPrint | undefined,
  ): Pick<PlanReason, 'kind' | 'text'> {
    if (step !== undefined && old?.kind !== now.kind)
      return { kind: 'instruction', text: `${instructionText(step)} changed` }
    if (now.kind === 'image') {
      if (old?.kind !== 'image') return { kind: 'base-image', text: `${now.name} is used now` }
      const what = old.name === now.name ? now.name : `${old.name} → ${now.name}`
      if (old.digest === now.digest) return { kind: 'base-image', text: `${what}, the same image` }
      return { kind: 'base-image', text: `${what}: ${shortDigest(old.digest)} → ${shortDigest(now.digest)}` }
    }
    if (now.kind === 'stage' || now.kind === 'scratch')
      return { kind: 'instruction', text: 'its base is another one now' }
    const lists = [this.#filesBefore(old?.digest ?? ''), this.#filesNow(now.digest ?? '')] as const
    const told = lists[0] === undefined || lists[1] === undefined ? '' : tellChanges(compareLists(lists[0], lists[1]))
    const place = now.name === '' ? '' : ` (context ${now.name})`
    return { kind: 'file', text: told === '' ? `files that it reads changed${place}` : `${told}${place}` }
  }

  #instruction(stage: StagePrint, old: StepPrint | undefined, now: StepPrint | undefined): void {
    const text =
      now === undefined
        ? `${instructionText(old)} is gone`
        : old === undefined || old.keyword !== now.keyword
          ? `${instructionText(now)} is new`
          : `${instructionText(now)} changed`
    this.#tell(stage, { kind: 'instruction', line: now?.line ?? stage.line, text })
  }

  #tell(stage: StagePrint, reason: Omit<PlanReason, 'stage'>): void {
    this.#reasons.push({ stage: stage.index, ...reason })
  }
}

/** Images of one digest may differ in name: a provenance attestation tells it. */
function isSameSource(old: PrintedSource | undefined, now: PrintedSource): boolean {
  if (old?.kind !== now.kind || old.digest !== now.digest) return false
  return now.kind !== 'image' || old.name === now.name
}

/** Variables that a stage's instructions set otherwise than before, and the lines where. */
function changedVariables(before: StagePrint, now: StagePrint): ReadonlyMap<string, number> {
  const ofStage = ({ steps }: StagePrint) => steps.flatMap(({ words, settings }) => (words === '' ? settings : []))
  const old = new Map(ofStage(before).map(({ name, value }) => [name, value]))
  return new Map(ofStage(now).flatMap(({ name, value, line }) => (old.get(name) === value ? [] : [[name, line]])))
}

function settingText(name: string, what: string): string {
  if (name.startsWith('$')) return `argument ${name.slice(1)} ${what}`
  return `${name.toUpperCase()} ${what}`
}

const LONGEST = 60

function instructionText(step: StepPrint | undefined): string {
  const text = (step?.text ?? '').replaceAll(/\s+/g, ' ')
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`
}

function shortDigest(digest: string | undefined): string {
  return digest === undefined ? 'unknown' : digest.slice(0, digest.indexOf(':') + 13)
}
