/** Names in what GitHub says. What is not as expected is undefined. */

/** A commit's full name, SHA-1 or SHA-256, which is not all zeros (git's word for "none"). */
export function commitName(value: unknown): string | undefined {
  return typeof value === 'string' && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value) && !/^0+$/.test(value)
    ? value
    : undefined
}

/** `owner/name` */
export function repositoryName(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w.-]{1,100}\/[\w.-]{1,100}$/.test(value) ? value : undefined
}
