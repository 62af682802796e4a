import { visible } from './markdown.ts'

/**
 * Untrusted text → Mermaid label text, for every diagram. Owns the escaping only; the diagrams are in `flowchart.ts`
 * and `gantt.ts`.
 *
 * Mermaid reads labels several times over (directives and comments are cut out of the source, the diagram's grammar
 * splits it, some labels are Markdown, some become HTML), and which Mermaid github.com runs isn't told. So little is
 * left as it is: letters, digits and harmless marks. `<`, `>`, `&` and the backtick become look-alikes, since an
 * entity of theirs is HTML again after one decoding; the rest become numeric entities, which Mermaid sets aside before
 * any grammar reads them (`encodeEntities` in its `utils.ts`).
 */

/** Mermaid's `maxTextSize`; a diagram above it is replaced by an error. */
export const MAX_DIAGRAM_CHARACTERS = 50_000
/** Mermaid's `maxEdges`. */
export const MAX_DIAGRAM_EDGES = 500

const LOOK_ALIKES: Readonly<Record<string, string>> = { '<': '‹', '>': '›', '&': '＆', '`': 'ˋ', '\\': '⧵' }

/** What a label shows of `text`: what {@link labelText} says, before its entities. */
export function labelShows(text: string, maxLength: number): string {
  return visible(text, maxLength).replace(/[<>&`\\]/g, (c) => LOOK_ALIKES[c] ?? c)
}

/** The text of a label, for use between double quotes or bare; no longer than `maxLength` characters when shown. */
export function labelText(text: string, maxLength: number): string {
  return labelShows(text, maxLength).replace(/[!-/:-@[-`{-~]/g, (c) =>
    /[.,/()+-]/.test(c) ? c : `#${c.charCodeAt(0)};`,
  )
}

/** The diagram as a fenced block of Markdown. */
export function mermaidBlock(source: string): string {
  return `\`\`\`mermaid\n${source}\n\`\`\``
}
