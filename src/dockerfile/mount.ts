/**
 * `RUN --mount=…`: what is known when the file is parsed (`mountSource`), and the whole mount once variables have values
 * (`parseMount`). It resolves no stage.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/commands_runmount.go
 */
import { csvFields } from './csv.ts'
import { SyntaxFault } from './dockerfile-error.ts'
import { goQuote, parseBool } from './go-text.ts'
import { withSuggestion } from './suggest.ts'

/** A mount before its values are expanded. */
export interface MountFlag {
  /** The flag's value as written. */
  readonly text: string
  /** The last `from=`; empty where there is none. Variables are not allowed in it. */
  readonly from: string
}

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh'

export interface Mount {
  readonly type: MountType
  readonly from: string
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
  readonly id: string
  readonly sharing: string
  readonly required: boolean
  /** `size`, `mode`, `uid`, `gid` and `env` as given, by key. */
  readonly options: ReadonlyMap<string, string>
}

const TYPES: ReadonlySet<string> = new Set(['bind', 'cache', 'tmpfs', 'secret', 'ssh'])
const SHARINGS: ReadonlySet<string> = new Set(['shared', 'private', 'locked'])
const KEYS = [
  ...['type', 'from', 'source', 'target', 'readonly', 'id', 'sharing', 'required', 'size', 'mode', 'uid', 'gid'],
  ...['src', 'dst', 'destination', 'ro', 'rw', 'readwrite', 'env'],
]

/** @throws SyntaxFault where the value is no CSV, or `from` holds a variable */
export function mountSource(text: string): MountFlag {
  let from = ''
  for (const { key, value } of mountFields(text)) {
    if (key !== 'from' || value === undefined) continue
    if (/\$[^\n]/.test(value)) {
      throw new SyntaxFault("'from' doesn't support variable expansion, define alias stage instead")
    }
    from = value
  }
  return { text, from }
}

interface Field {
  readonly key: string
  readonly value: string | undefined
  readonly text: string
}

function mountFields(text: string): readonly Field[] {
  try {
    return csvFields(text).map((field) => {
      const equals = field.indexOf('=')
      if (equals === -1) return { key: field.toLowerCase(), value: undefined, text: field }
      return { key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1), text: field }
    })
  } catch (error) {
    if (error instanceof SyntaxFault) throw new SyntaxFault(`failed to parse csv mounts: ${error.message}`)
    throw error
  }
}

interface Draft {
  type: MountType
  from: string
  source: string
  target: string
  readOnly: boolean | undefined
  id: string
  sharing: string
  required: boolean
  readonly options: Map<string, string>
}

/**
 * Reads a whole mount; `expand` gives each value its variables.
 * @throws SyntaxFault for unknown types and keys, bad values, and what does not go together
 */
export function parseMount(text: string, expand: (value: string) => string): Mount {
  const draft: Draft = {
    ...{ type: 'bind', from: '', source: '', target: '', readOnly: undefined, id: '', sharing: '', required: false },
    options: new Map(),
  }
  for (const field of mountFields(text)) {
    if (field.value === undefined) setBare(draft, field)
    else setValue(draft, field, expand(field.value))
  }
  checkTogether(draft)
  const { type, from, source, target, id, sharing, required, options } = draft
  return { type, from, source, target, id, sharing, required, options, readOnly: draft.readOnly ?? !isWritable(type) }
}

function isWritable(type: MountType): boolean {
  return type === 'cache' || type === 'tmpfs'
}

function setBare(draft: Draft, { key, text }: Field): void {
  if (key === 'readonly' || key === 'ro') draft.readOnly = true
  else if (key === 'readwrite' || key === 'rw') draft.readOnly = false
  else if (key === 'required') setRequired(draft, key, 'true')
  else throw new SyntaxFault(`invalid field '${text}' must be a key=value pair`)
}

function setValue(draft: Draft, { key, text }: Field, value: string): void {
  switch (key) {
    case 'type':
      draft.type = oneOf(value, TYPES, 'mount type') as MountType
      return
    case 'from':
    case 'id':
      draft[key] = value
      return
    case 'source':
    case 'src':
      draft.source = value
      return
    case 'target':
    case 'dst':
    case 'destination':
      draft.target = value
      return
    case 'readonly':
    case 'ro':
      draft.readOnly = flag(key, value)
      return
    case 'readwrite':
    case 'rw':
      draft.readOnly = !flag(key, value)
      return
    case 'required':
      setRequired(draft, key, value)
      return
    case 'size':
      if (draft.type !== 'tmpfs') throw unexpected(key, draft.type)
      // units.RAMInBytes: https://github.com/docker/go-units/blob/v0.5.0/size.go
      if (!/^[0-9]+(?:\.[0-9]+)* ?[kmgtp]?i?b?$/i.test(value))
        throw new SyntaxFault(`invalid value for ${key}: ${value}`)
      draft.options.set(key, value)
      return
    case 'sharing':
      draft.sharing = oneOf(value, SHARINGS, 'sharing value')
      return
    case 'mode':
    case 'uid':
    case 'gid':
      if (!isUint32(value, key === 'mode' ? 8 : 10)) throw new SyntaxFault(`invalid value ${value} for ${key}`)
      draft.options.set(key, value)
      return
    case 'env':
      draft.options.set(key, value)
      return
    default:
      throw new SyntaxFault(withSuggestion(`unexpected key '${key}' in '${text}'`, key, KEYS, { caseSensitive: true }))
  }
}

function oneOf(value: string, allowed: ReadonlySet<string>, what: string): string {
  const lower = value.toLowerCase()
  if (allowed.has(lower)) return lower
  const message = `unsupported ${what} ${goQuote(value)}`
  throw new SyntaxFault(withSuggestion(message, value, [...allowed], { caseSensitive: true }))
}

function flag(key: string, value: string): boolean {
  const result = parseBool(value)
  if (result === undefined) throw new SyntaxFault(`invalid value for ${key}: ${value}`)
  return result
}

function setRequired(draft: Draft, key: string, value: string): void {
  if (draft.type !== 'secret' && draft.type !== 'ssh') throw unexpected(key, draft.type)
  draft.required = flag(key, value)
}

function unexpected(key: string, type: MountType): SyntaxFault {
  return new SyntaxFault(`unexpected key '${key}' for mount type '${type}'`)
}

function isUint32(value: string, base: 8 | 10): boolean {
  return (base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(value) && Number.parseInt(value, base) < 2 ** 32
}

function checkTogether({ type, from, source, target, id, sharing, options }: Draft): void {
  if (type === 'bind' || type === 'tmpfs') {
    const key = ['mode', 'uid', 'gid'].find((name) => options.has(name))
    if (key !== undefined) throw new SyntaxFault(`${key} not allowed for ${goQuote(type)} type mounts`)
  }
  if (type === 'secret') {
    if (from !== '') throw new SyntaxFault('secret mount should not have a from')
    if (sharing !== '') throw new SyntaxFault('secret mount should not define sharing')
    if (source === '' && target === '' && id === '') {
      throw new SyntaxFault('invalid secret mount. one of source, target required')
    }
    if (source !== '' && id !== '') throw new SyntaxFault("both source and id can't be set")
  }
  if (sharing !== '' && type !== 'cache') throw new SyntaxFault(`invalid cache sharing set for ${type} mount`)
}
