import tseslint from 'typescript-eslint'

/**
 * What each room may import (DESIGN §3): left never imports right. `backoff.ts`, `errors.ts`, `json-fields.ts` and `process.ts` are leaves that every room may
 * import;
 * the files directly in `src/` may import everything.
 */
const rooms = {
  dockerfile: [],
  images: [],
  graph: ['dockerfile', 'images'],
  context: ['dockerfile'],
  plan: ['dockerfile', 'graph', 'context', 'images'],
  cache: ['images'],
  mounts: ['graph', 'plan'],
  build: ['dockerfile', 'graph', 'images', 'plan', 'cache'],
  measure: ['images', 'cache'],
  github: [],
  handover: ['measure'],
  report: ['graph', 'plan', 'build', 'measure'],
}

/** The one file that may import each outside thing. */
const adapters = {
  '@actions/artifact': 'src/handover/artifact-client.ts',
  '@actions/cache': 'src/cache/cache-client.ts',
  '@actions/core': 'src/runner.ts',
  '@actions/github': 'src/github/rest-client.ts',
  'node:child_process': 'src/process.ts',
}

const roomRules = Object.entries(rooms).map(([room, allowed]) => {
  const forbidden = Object.keys(rooms).filter((other) => other !== room && !allowed.includes(other))
  return {
    files: [`src/${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: Object.keys(adapters).map((name) => ({ name, message: `Only ${adapters[name]} imports ${name}.` })),
          patterns: [
            {
              group: forbidden.map((other) => `../${other}/**`),
              message: `src/${room} may not import that room (DESIGN §3).`,
            },
            {
              regex: '^\\.\\./(?!backoff\\.ts$|errors\\.ts$|json-fields\\.ts$|process\\.ts$)[^/]+\\.ts$',
              message:
                'A room may import only backoff.ts, errors.ts, json-fields.ts and the process adapter from src/.',
            },
          ],
        },
      ],
    },
  }
})

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'demo-output/', 'examples/', '*.config.js', '**/*.mjs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'ExportAllDeclaration', message: 'No barrel files.' },
      ],
    },
  },
  ...roomRules,
  {
    files: ['src/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: Object.keys(adapters).map((name) => ({ name, message: `Only ${adapters[name]} imports ${name}.` })) },
      ],
    },
  },
  { files: Object.values(adapters), rules: { 'no-restricted-imports': 'off' } },
  { files: ['__tests__/**', 'bench/**', 'script/**'], rules: { 'max-lines': 'off' } },
)
