/** What every step that is over leaves: its lines in the log, its outputs about sizes, its summary. */
import type { Problem } from './errors.ts'
import type { ReportOutputs } from './outputs.ts'
import type { Runner } from './runner.ts'
import type { SizesReported } from './size-reporting.ts'

/** The lines about sizes. */
export function tell(runner: Runner, { verdict, notice, commentUrl }: SizesReported): void {
  for (const line of [verdict, notice, commentUrl]) if (line !== undefined) runner.log(line)
}

/** What the outputs say of sizes. */
export function reportOutputs({ report, commentUrl }: SizesReported): ReportOutputs {
  return { rows: report.rows, baselineSha: report.baseline.commit, commentUrl }
}

/** A summary that cannot be written is no reason to fail a build. */
export async function appendSummary(
  runner: Runner,
  markdown: string,
  warn: (problems: readonly Problem[]) => void,
): Promise<void> {
  try {
    await runner.appendSummary(markdown)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    warn([{ message: `The job summary could not be written: ${reason}.` }])
  }
}
