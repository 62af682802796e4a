/**
 * GitHub's published OpenAPI description as a judge: of every request that the stand-in gets, and of every answer that
 * it gives.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = Readonly<Record<string, Json>>

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: { readonly type?: string; readonly enum?: readonly string[] }
  readonly description?: string
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: JsonObject }>>
}

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly (Parameter | Reference)[]
  readonly requestBody?: Content & { readonly required?: boolean }
  readonly responses: Readonly<Record<string, Content | Reference>>
}

interface Reference {
  readonly $ref: string
}

/** True of GitHub, and not in its description: a pull request whose fork was deleted has no `head.repo` any more. */
const UNDESCRIBED = /^(?:\/\d+)?\/head\/repo must be object$/

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** What is asked: an operation by its path's template, `/repos/{owner}/{repo}/pulls`, with everything as it was sent. */
export interface Asked {
  readonly method: string
  readonly template: string
  readonly path: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: unknown
}

export class GithubContract {
  readonly #description: Description
  readonly #ajv: Ajv
  readonly #validators = new Map<string, ValidateFunction>()

  /** @param templates of the paths that are asked for: the rest of the 13 MB is left out */
  constructor(templates: readonly string[]) {
    const require = createRequire(import.meta.url)
    const text = readFileSync(
      join(dirname(require.resolve('@octokit/openapi')), 'generated/api.github.com.json'),
      'utf8',
    )
    const { paths, components } = JSON.parse(text) as Description
    for (const template of templates) if (!(template in paths)) throw new Error(`GitHub has no ${template}`)
    this.#description = { paths: Object.fromEntries(templates.map((name) => [name, paths[name] ?? {}])), components }
    this.#ajv = new Ajv({ strict: false, allErrors: true, logger: false })
    addFormats.default(this.#ajv)
    this.#ajv.addSchema(jsonSchema(this.#description), 'github')
  }

  /** A fresh copy of one of the description's own examples. */
  example(name: string): Json {
    const example = this.#description.components['examples']?.[name] as { readonly value: Json } | undefined
    if (example === undefined) throw new Error(`GitHub's description has no example ${name}`)
    return structuredClone(example.value)
  }

  operationId(method: string, template: string): string {
    return this.#operation(method, template).operationId
  }

  /** What is wrong with a request, as sentences. */
  request(asked: Asked): readonly string[] {
    const operation = this.#operation(asked.method, asked.template)
    const parameters = (operation.parameters ?? []).map((parameter) => this.#resolved<Parameter>(parameter))
    const problems: string[] = []
    for (const parameter of parameters) {
      const value = parameter.in === 'path' ? asked.path[parameter.name] : asked.query.get(parameter.name)
      if (parameter.in === 'header') continue
      if (value === undefined || value === null) {
        if (parameter.required === true) problems.push(`${parameter.name} is missing`)
      } else problems.push(...problemsOf(parameter, value))
    }
    for (const name of asked.query.keys()) {
      if (!parameters.some((parameter) => parameter.in === 'query' && parameter.name === name)) {
        problems.push(`the query has ${name}, which is not documented`)
      }
    }
    return [...problems, ...this.#bodyProblems(asked, operation)]
  }

  /** What is wrong with an answer, as sentences. */
  response(asked: Pick<Asked, 'method' | 'template'>, status: number, body: unknown): readonly string[] {
    const { responses } = this.#operation(asked.method, asked.template)
    const declared = responses[String(status)]
    if (declared === undefined) {
      // The description does not repeat for each operation that every one may be refused, limited or out of order.
      if (status < 400) return [`answers with ${status}, which is not documented`]
      return this.#problems('/components/schemas/basic-error', body)
    }
    const at =
      '$ref' in declared
        ? declared.$ref.slice(1)
        : `/paths/${escaped(asked.template)}/${asked.method.toLowerCase()}/responses/${status}`
    const { content } = this.#resolved<Content>(declared)
    if (content === undefined) return body === undefined ? [] : [`answers ${status} with a body`]
    return this.#problems(`${at}/content/application~1json/schema`, body)
  }

  #bodyProblems(asked: Asked, { requestBody }: Operation): readonly string[] {
    if (requestBody === undefined) return asked.body === undefined ? [] : ['a body, where none is documented']
    if (asked.body === undefined) return requestBody.required === true ? ['no body'] : []
    const operation = `/paths/${escaped(asked.template)}/${asked.method.toLowerCase()}`
    const known = (requestBody.content?.['application/json']?.schema?.['properties'] ?? {}) as JsonObject
    const unknown = Object.keys(asked.body as object).filter((name) => !(name in known))
    return [
      ...unknown.map((name) => `the body has ${name}, which is not documented`),
      ...this.#problems(`${operation}/requestBody/content/application~1json/schema`, asked.body),
    ]
  }

  #problems(pointer: string, value: unknown): readonly string[] {
    let validate = this.#validators.get(pointer)
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: `github#${encodeURI(pointer)}` })
      this.#validators.set(pointer, validate)
    }
    if (validate(value)) return []
    const problems = (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? error.keyword}`)
    return problems.filter((problem) => !UNDESCRIBED.test(problem))
  }

  #operation(method: string, template: string): Operation {
    const operation = this.#description.paths[template]?.[method.toLowerCase()]
    if (operation === undefined) throw new Error(`GitHub has no ${method} ${template}`)
    return operation
  }

  #resolved<T extends object>(value: T | Reference): T {
    if (!('$ref' in value)) return value
    const [, , kind = '', name = ''] = value.$ref.split('/')
    return this.#description.components[kind]?.[name] as T
  }
}

/**
 * The paths with all that they refer to. OpenAPI 3.0 writes `nullable: true` for what JSON Schema says with a type
 * `null`; ajv knows it only beside `type`.
 */
function jsonSchema({ paths, components }: Description): Record<string, unknown> {
  const taken: Record<string, Record<string, unknown>> = {}
  const convert = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(convert)
    if (typeof value !== 'object' || value === null) return value
    if ('$ref' in value && typeof value.$ref === 'string') {
      const [, , kind = '', name = ''] = value.$ref.split('/')
      const group = (taken[kind] ??= {})
      if (!(name in group)) {
        // Before it is converted: it may refer to itself.
        group[name] = undefined
        group[name] = convert(components[kind]?.[name])
      }
      return value
    }
    const { nullable, ...rest } = value as Record<string, unknown>
    const converted = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, convert(inner)]))
    return nullable === true ? { anyOf: [converted, { type: 'null' }] } : converted
  }
  return { paths: convert(paths), components: taken }
}

function problemsOf({ name, schema, description }: Parameter, value: string): readonly string[] {
  if (schema.type === 'integer' && !/^\d+$/.test(value)) return [`${name} is ${value}, not an integer`]
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${name} is ${value}, which is not documented`]
  const most = /\(max (\d+)\)/.exec(description ?? '')?.[1]
  return most !== undefined && Number(value) > Number(most) ? [`${name} is ${value}, more than ${most}`] : []
}

function escaped(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1')
}
