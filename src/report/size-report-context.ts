import type { StageGraph } from '../graph/stage-graph.ts'

/** What the size report needs besides sizes. Types and the one place that makes links, since addresses hold untrusted text. */

export interface SizeReportContext {
  /** Tells the sections of one comment apart: the identity's `id`. Empty where there is only one. */
  readonly title: string
  /** `owner/name`. */
  readonly repository: string
  /** `https://github.com`. */
  readonly serverUrl: string
  /** The commit that was built: where links to lines lead to. */
  readonly headCommit: string | undefined
  readonly runUrl: string | undefined
  /** The label that allows an increase; undefined where no label can (no pull request). */
  readonly budgetLabel: string | undefined
  /** Given only where the stage graph changed. */
  readonly graphChanged?: StageGraphChange | undefined
}

export interface StageGraphChange {
  /** As it is now. */
  readonly graph: StageGraph
  /** The targets and the indexes of their stages. */
  readonly targets: readonly { readonly name: string; readonly stage: number }[]
  /** Indexes of stages that two or more targets need. */
  readonly shared: readonly number[]
  /** Names of the stages that are new and of those that are gone; both empty where only edges changed. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

const MAX_URL = 1_000

/** The first seven digits of a commit, linked; other text is undefined, since a commit may come from a fork. */
export function commitLink(context: SizeReportContext, commit: string | undefined): string | undefined {
  if (commit === undefined || !/^[0-9a-f]{7,64}$/.test(commit)) return undefined
  return link(context, `\`${commit.slice(0, 7)}\``, `commit/${commit}`)
}

/**
 * Markdown (`text`, made of Markdown already) linked to a line of a file at the head commit; only `text` where there is
 * no such address.
 */
export function lineLink(context: SizeReportContext, text: string, file: string, line: number): string {
  const { headCommit } = context
  const segments = file.split('/')
  // A browser would take `..` and leave the repository.
  if (headCommit === undefined || segments.some((segment) => ['', '.', '..'].includes(segment))) return text
  if (file.length > MAX_URL || !file.isWellFormed()) return text
  return link(context, text, `blob/${headCommit}/${segments.map(encodeURIComponent).join('/')}#L${line}`)
}

/** `text` linked to a page of this repository; only `text` where the address is of any other place. */
export function pageLink(context: SizeReportContext, text: string, url: string | undefined): string {
  const home = `${context.serverUrl}/${context.repository}/`
  return url?.startsWith(home) === true ? link(context, text, url.slice(home.length)) : text
}

function link(context: SizeReportContext, text: string, path: string): string {
  const url = URL.parse(`${context.serverUrl}/${context.repository}/${path}`)
  const home = URL.parse(`${context.serverUrl}/${context.repository}/`)
  if (url === null || home === null || !url.href.startsWith(home.href) || !/^https?:$/.test(url.protocol)) return text
  if (url.href.length > 4 * MAX_URL) return text
  // Nothing that Markdown or a table's cell would read within the address.
  const address = url.href.replace(
    /[^\w./:?=#%&+,;~-]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
  return `[${text}](${address.replaceAll('&', '&amp;').replaceAll('~', '%7E')})`
}
