import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import license from 'rollup-plugin-license'

/** Licences of what may be bundled: permissive, and no condition that a bundle does not meet with `licenses.txt`. */
const allowed = [
  ...['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD'],
  ...['BlueOak-1.0.0', 'Unlicense', 'CC0-1.0', 'Zlib', 'Python-2.0'],
]

/** Whether a package may be bundled, by a licence like `MIT`, `(MIT OR WTFPL)` or `(Apache-2.0 AND MIT)`; no other form is. */
function isAllowed(dependency) {
  if (dependency.license === null) complete(dependency)
  const expression = dependency.license?.replace(/^\((.*)\)$/, '$1') ?? ''
  const isOffered = expression.split(' OR ').some((name) => allowed.includes(name))
  return isOffered || expression.split(' AND ').every((name) => allowed.includes(name))
}

/** Azure's packages have a second package.json beside the code, with name and version, but without the licence. */
function complete(dependency) {
  const folder = join(import.meta.dirname, 'node_modules', dependency.name)
  const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (about.version !== dependency.version) return
  dependency.license = about.license ?? null
  const text = join(folder, 'LICENSE')
  if (existsSync(text)) dependency.licenseText = readFileSync(text, 'utf8')
}

/** One package's entry in `licenses.txt`. */
function entry(dependency) {
  const texts = [dependency.licenseText, dependency.noticeText].map((text) => text?.replaceAll('\r\n', '\n').trim())
  const name = `${dependency.name} ${dependency.version} (${dependency.license})`
  return [name, ...texts].filter((text) => text !== undefined && text !== '').join('\n\n')
}

/** name@version → entry, of all bundles. */
const entries = new Map()

/**
 * Takes the licences of what a bundle holds, and fails the build for a package whose licence is not in `allowed`. The
 * last bundle writes `licenses.txt` for all: rolldown builds them one after another.
 */
function licenses(isLast) {
  return [
    license({
      cwd: import.meta.dirname,
      sourcemap: false,
      thirdParty: {
        multipleVersions: true,
        allow: { test: isAllowed, failOnUnlicensed: true, failOnViolation: true },
        output(dependencies) {
          for (const dependency of dependencies)
            entries.set(`${dependency.name}@${dependency.version}`, entry(dependency))
        },
      },
    }),
    isLast && {
      name: 'emit-licenses',
      generateBundle() {
        const texts = [...entries.values()].sort((a, b) => (a < b ? -1 : 1))
        const head = 'The files of dist contain code of these packages.'
        const source = `${head}\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
        this.emitFile({ type: 'asset', fileName: 'licenses.txt', source })
      },
    },
  ]
}

/**
 * `restoreCache` forces its download by the Azure SDK, in buffers of 128 MiB: 300 MB more memory, and no faster. Its
 * other way, which was its default until then, keeps 8 parts of 4 MiB at a time.
 * https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/downloadUtils.ts
 */
function smallDownloads() {
  const forced = '{ useAzureSdk: true }'
  return {
    name: 'small-downloads',
    transform(code, id) {
      if (!id.endsWith('/@actions/cache/lib/cache.js')) return undefined
      const parts = code.split(forced)
      if (parts.length !== 2) throw new Error(`${id} has not one ${forced}: see smallDownloads in rolldown.config.js`)
      return parts.join('{ useAzureSdk: false }')
    },
  }
}

/**
 * `@actions/core` brings an HTTP client (undici) for ID tokens, which we never ask for: two fifths of the bundle, and 40 ms
 * of every start. https://github.com/actions/toolkit/blob/main/packages/core/src/oidc-utils.ts
 */
function withoutIdTokens() {
  return {
    name: 'without-id-tokens',
    load(id) {
      if (!id.endsWith('/@actions/core/lib/oidc-utils.js')) return undefined
      return "export class OidcClient { static getIDToken() { throw new Error('ID tokens are not in this bundle') } }"
    },
  }
}

/**
 * `@actions/artifact` unpacks with `unzip-stream`, which writes whatever a zip holds to disk, and of whose parts one has no
 * licence. We have nothing unpacked by it: see `src/handover/zip-entry.ts`.
 */
function withoutUnzip() {
  return {
    name: 'without-unzip',
    resolveId: (id) => (id === 'unzip-stream' ? '\0unzip-stream' : undefined),
    load(id) {
      if (id !== '\0unzip-stream') return undefined
      return "export default { Extract() { throw new Error('unzip-stream is not in this bundle') } }"
    },
  }
}

/**
 * An `import` of one of Node.js's own modules makes it read all that the module exports, and some of that loads much more:
 * `WebSocket` of `node:http` the whole of fetch (30 ms of every start), `webcrypto` of `node:crypto`, `promises` of `node:fs`
 * (3 ms, and a step that has nothing to do takes 27), `parseArgs` and others of `node:util`. What `require` gives is read name by name.
 * https://github.com/nodejs/node/blob/v24.11.0/lib/http.js (lazyUndici)
 */
const PLAIN = {
  http: [
    ...['Agent', 'ClientRequest', 'IncomingMessage', 'METHODS', 'OutgoingMessage', 'STATUS_CODES', 'Server'],
    ...['ServerResponse', 'createServer', 'get', 'globalAgent', 'request', 'validateHeaderName', 'validateHeaderValue'],
  ],
}
const FS = [
  ...['accessSync', 'appendFileSync', 'closeSync', 'constants', 'createReadStream', 'existsSync', 'fstatSync'],
  ...['lstatSync', 'mkdirSync', 'openSync', 'readFileSync', 'readSync', 'readdirSync', 'readlinkSync', 'realpathSync'],
  ...['statSync'],
]
const PLAIN_HERE = {
  ...PLAIN,
  crypto: ['createHash', 'hash', 'randomBytes', 'randomUUID'],
  fs: FS,
  // For packages: to read `promises` loads them.
  'fs+': [...FS, 'promises'],
  util: ['isDeepStrictEqual'],
}

function plainBuiltins(modules) {
  const prefix = '\0plain-'
  return {
    name: 'plain-builtins',
    resolveId(id, importer, { kind }) {
      const name = id.replace(/^node:/, '')
      const isPackage = importer?.includes('/node_modules/') === true
      const isLate = isPackage && !/\/@actions\/(?:core|exec|io)\//.test(importer)
      if (kind === 'require-call' || !Object.hasOwn(modules, name) || (isLate && name !== 'http')) return undefined
      return prefix + (isPackage && Object.hasOwn(modules, `${name}+`) ? `${name}+` : name)
    },
    load(id) {
      if (!id.startsWith(prefix)) return undefined
      const key = id.slice(prefix.length)
      const name = key.replace('+', '')
      const lines = [
        `const ${name} = process.getBuiltinModule('node:${name}')`,
        `export default ${name}`,
        `export const { ${modules[key].join(', ')} } = ${name}`,
      ]
      return lines.join('\n')
    },
  }
}

/** Modules that seldom are used are loaded where they are: `import`ed, they would be with every start. */
const LATE = [
  {
    // `@actions/http-client` loads an HTTP client in case it has to go through a proxy by `fetch`, which nobody here does. The
    // one beneath @actions/github is of another version, and its chunk is loaded late as a whole.
    in: (id) => id.endsWith('/node_modules/@actions/http-client/lib/index.js') && !id.includes('/@actions/github/'),
    eager: "import { ProxyAgent } from 'undici';",
    use: 'new ProxyAgent(',
    late: "new (require('undici').ProxyAgent)(",
  },
  {
    // Go's regular expressions: 15 ms of every start, and few patterns of .dockerignore need them. A bundle of its own.
    in: (id) => id.endsWith('/src/context/ignore-pattern.ts'),
    eager: "import { RE2JS } from 're2js'",
    use: 'RE2JS.compile(',
    late: "process.getBuiltinModule('node:module').createRequire(import.meta.url)('./go-regexp.js').RE2JS.compile(",
  },
]

function late() {
  return {
    name: 'late',
    transform(code, id) {
      const rule = LATE.find((candidate) => candidate.in(id))
      if (rule === undefined) return undefined
      if (code.split(rule.eager).length !== 2 || code.split(rule.use).length !== 2)
        throw new Error(`${id} loads ${rule.eager} in another way: see LATE in rolldown.config.js`)
      return code.replace(rule.eager, '').replace(rule.use, rule.late)
    },
  }
}

/** The modules that a module imports, and they, and so on; not what is only loaded when it is needed. */
function importedBy(entry) {
  const found = new Set()
  return {
    has: (id) => found.has(id),
    plugin: {
      name: 'imported-by',
      buildEnd() {
        const open = [...this.getModuleIds()].filter((id) => id.endsWith(entry))
        for (const id of open) {
          if (found.has(id)) continue
          found.add(id)
          open.push(...(this.getModuleInfo(id)?.importedIds ?? []))
        }
      },
    },
  }
}

const start = importedBy('/src/index.ts')
const plan = importedBy('/src/action.ts')

function bundle(input, file, { isFirst = false, isLast = false, plugins = [], codeSplitting = false, plain = PLAIN }) {
  return {
    cwd: import.meta.dirname,
    input,
    platform: 'node',
    tsconfig: false,
    transform: { target: 'node24' },
    plugins: [...plugins, plainBuiltins(plain), late(), licenses(isLast)],
    output: {
      dir: 'dist',
      entryFileNames: file,
      format: 'esm',
      chunkFileNames: '[name].js',
      // One file: GitHub runs `main` from the action's checkout, and one file is what a person can review.
      codeSplitting,
      minify: false,
      sourcemap: false,
      cleanDir: isFirst,
    },
  }
}

export default [
  bundle('src/index.ts', 'index.js', {
    isFirst: true,
    plain: PLAIN_HERE,
    plugins: [withoutIdTokens(), start.plugin, plan.plugin],
    codeSplitting: {
      groups: [
        // Loaded with the first request to GitHub's API: it would take 25 ms of every start.
        {
          name: 'github-client',
          priority: 2,
          test: /node_modules\/(@actions\/github|@actions\/http-client|@octokit|undici|universal-user-agent|before-after-hook|content-type|fast-content-type-parse|json-with-bigint|tunnel|bottleneck)\//,
        },
        // What runs while the rest is loaded.
        { name: 'scout', priority: 3, test: (id) => start.has(id) && !id.endsWith('/src/index.ts') },
        // A step that only plans does without what builds and reports.
        { name: 'plan', priority: 1, test: plan.has },
        { name: 'build', test: (id) => !start.has(id) },
      ],
    },
  }),
  // A step that has nothing to do loads nothing.
  bundle('src/post-step.ts', 'post-step.js', { plain: PLAIN_HERE }),
  // A thread of the first.
  bundle('src/context/context-helper.ts', 'context-helper.js', { plain: PLAIN_HERE }),
  // What Go's regular expressions are made of: see LATE.
  bundle('re2js', 'go-regexp.js', {}),
  // A program of its own, so that the Azure SDK is loaded where it is used and nowhere else.
  bundle('src/cache/cache-client.ts', 'cache-client.js', { plugins: [smallDownloads()] }),
  // Another, for runs that hand size records over, and no others.
  bundle('src/handover/artifact-client.ts', 'artifact-client.js', { isLast: true, plugins: [withoutUnzip()] }),
]
