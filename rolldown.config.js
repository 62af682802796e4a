import license from 'rollup-plugin-license'

/** Licences of what may be bundled: permissive, and no condition that a bundle does not meet with `licenses.txt`. */
const allowed =
  '(MIT OR ISC OR Apache-2.0 OR BSD-2-Clause OR BSD-3-Clause OR 0BSD OR BlueOak-1.0.0 OR Unlicense OR CC0-1.0 OR Zlib OR Python-2.0)'

/** One package's entry in `licenses.txt`. */
function entry(dependency) {
  const texts = [dependency.licenseText, dependency.noticeText].map((text) => text?.replaceAll('\r\n', '\n').trim())
  const name = `${dependency.name} ${dependency.version} (${dependency.license})`
  return [name, ...texts].filter((text) => text !== undefined && text !== '').join('\n\n')
}

/** Writes `licenses.txt` beside the bundle, and fails the build for a package whose licence is not in `allowed`. */
function licenses() {
  let text = ''
  return [
    license({
      cwd: import.meta.dirname,
      sourcemap: false,
      thirdParty: {
        multipleVersions: true,
        allow: { test: allowed, failOnUnlicensed: true, failOnViolation: true },
        output(dependencies) {
          const entries = dependencies.map(entry).sort((a, b) => (a < b ? -1 : 1))
          text = `dist/index.js contains code of these packages.\n\n${entries.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
        },
      },
    }),
    {
      name: 'emit-licenses',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: text })
      },
    },
  ]
}

export default {
  cwd: import.meta.dirname,
  input: 'src/index.ts',
  platform: 'node',
  tsconfig: false,
  transform: { target: 'node24' },
  plugins: [licenses()],
  output: {
    dir: 'dist',
    entryFileNames: 'index.js',
    format: 'esm',
    // One file: GitHub runs `main` from the action's checkout, and one file is what a person can review.
    codeSplitting: false,
    minify: false,
    sourcemap: false,
    cleanDir: true,
  },
}
