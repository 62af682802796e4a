/**
 * Debian's databases of installed packages: one status file and a list of files for each package, or, in distroless
 * images, a status file for each package with the checksums of its files. Garbage is passed over.
 *
 * https://manpages.debian.org/bookworm/dpkg/dpkg-query.1.en.html, https://github.com/GoogleContainerTools/distroless
 */
import { DPKG_LISTS, DPKG_STATUS, DPKG_STATUS_FILES, isWord } from './package-files.ts'
import type { InstalledPackage } from './packages.ts'
import { lines } from './text-lines.ts'

interface Paragraph {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** Empty where there is none, as in distroless images. */
  readonly status: string
}

/** The packages of the databases, by path from the root. */
export function* readDpkgDatabase(texts: ReadonlyMap<string, Buffer>): Generator<InstalledPackage> {
  const status = texts.get(DPKG_STATUS)
  for (const { name, version, architecture, status: state } of status === undefined ? [] : paragraphs(status)) {
    if (!state.endsWith(' installed')) continue
    const list = texts.get(`${DPKG_LISTS}${name}:${architecture}.list`) ?? texts.get(`${DPKG_LISTS}${name}.list`)
    yield { name, version, files: list === undefined ? [] : listed(list) }
  }
  for (const [path, text] of texts) {
    if (!path.startsWith(DPKG_STATUS_FILES) || path.endsWith('.md5sums')) continue
    const sums = texts.get(`${path}.md5sums`)
    for (const { name, version } of paragraphs(text))
      yield { name, version, files: sums === undefined ? [] : summed(sums) }
  }
}

function* paragraphs(text: Buffer): Generator<Paragraph> {
  let fields = new Map<string, string>()
  const made = (): Paragraph | undefined => {
    const [name, version] = [fields.get('Package'), fields.get('Version')]
    if (!isWord(name) || !isWord(version)) return undefined
    return { name, version, architecture: fields.get('Architecture') ?? '', status: fields.get('Status') ?? '' }
  }
  for (const line of lines(text)) {
    if (line === '') {
      const paragraph = made()
      if (paragraph !== undefined) yield paragraph
      fields = new Map()
    }
    // Lines that begin with a blank go on with the field before.
    const [, field, value] = /^(Package|Version|Architecture|Status): *(.*)$/.exec(line) ?? []
    if (field !== undefined && value !== undefined) fields.set(field, value)
  }
  const paragraph = made()
  if (paragraph !== undefined) yield paragraph
}

/** `/usr/bin/x`; directories are listed too, and own no bytes. */
function* listed(list: Buffer): Generator<string> {
  for (const line of lines(list)) if (line.startsWith('/')) yield line.slice(1)
}

/** `d41d8cd98f00b204e9800998ecf8427e  usr/bin/x` */
function* summed(sums: Buffer): Generator<string> {
  for (const line of lines(sums)) {
    const [, path] = /^[0-9a-f]{32} {2}(?:\.?\/)?(.+)$/.exec(line) ?? []
    if (path !== undefined) yield path
  }
}
