/**
 * Alpine's database of installed packages: a paragraph for each, a line for each field, `P` name, `V` version, `F` a
 * directory and `R` a file in it. Garbage is passed over.
 *
 * https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/v2.14.4/doc/apk-package.5.scd
 */
import { isWord } from './package-files.ts'
import type { InstalledPackage } from './packages.ts'
import { lines } from './text-lines.ts'

/** The packages of a database (`lib/apk/db/installed`). */
export function* readApkDatabase(text: Buffer): Generator<InstalledPackage> {
  let [name, version, directory] = ['', '', '']
  let files: string[] = []
  for (const line of lines(text)) {
    const value = line.slice(2)
    if (line === '') {
      if (isWord(name) && isWord(version)) yield { name, version, files }
      ;[name, version, directory] = ['', '', '']
      files = []
    } else if (line.startsWith('P:')) name = value
    else if (line.startsWith('V:')) version = value
    else if (line.startsWith('F:')) directory = value === '' ? '' : `${value}/`
    else if (line.startsWith('R:')) files.push(`${directory}${value}`)
  }
  if (isWord(name) && isWord(version)) yield { name, version, files }
}
