/**
 * What the own layers of an image hold, by directory: small enough to be remembered with the image's sizes (large files
 * and directories stand alone, the rest is counted where it lies), yet enough to say which directories made an image grow.
 */

/** A directory, or a file where it has no `children`. */
export interface FileTree {
  /** Unpacked bytes of everything beneath, summed over the own layers (a file that two layers write counts twice). */
  readonly bytes: number
  /** Number of files beneath. */
  readonly files: number
  /** What stands alone, by name. What is not named here is counted in `bytes` and `files` only. */
  readonly children?: ReadonlyMap<string, FileTree> | undefined
}
