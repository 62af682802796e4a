/**
 * What BuildKit's and the registries' error texts mean, and what to do: text → message and mend. Pure. Every pattern
 * stands for a text that was seen on an engine or in its source.
 */

import { sentence } from '../errors.ts'
import { LOST_LAYER } from './failure-judgement.ts'

export interface Explanation {
  readonly message: string
  readonly mend?: string
}

export interface ErrorFacts {
  /** The error, without buildx's `failed to solve` before it. */
  readonly error: string
  /** The last lines of the step's output. */
  readonly tail: readonly string[]
  /** What the step did (`exporting cache to registry`), where a step failed. */
  readonly doing?: string | undefined
}

interface Kind {
  readonly pattern: RegExp
  /** What the step must have been doing, for errors that say too little. */
  readonly doing?: RegExp
  /** `a` and `b`: the pattern's groups. */
  readonly explain: (error: string, a: string, b: string) => Explanation
}

const LOGIN =
  'Log in before this step (docker/login-action); for ghcr.io give the job `permissions: packages: write` to push, `packages: read` to pull.'
const MIRROR = 'map the image to a mirror with `external-images`'

const KINDS: readonly Kind[] = [
  {
    // A directory that buildx cannot write ends its session; all that BuildKit hears of it is the end.
    pattern: /EOF$/,
    doing: /^exporting to client/,
    explain: () => ({
      message: 'The output could not be written: buildx ended in the middle of it (EOF).',
      mend: 'Most often the disk that `dest` in `outputs` is on is full: free space before this step, or use a larger runner.',
    }),
  },
  {
    pattern: /failed to calculate checksum of ref \S+: "(.*?)": not found/,
    explain: (_error, path) => ({
      message: `\`${path}\` was not found.`,
      mend: 'Check the path (it starts at the build context, or at the root of the stage or image that `--from` names) and that `.dockerignore` does not leave it out.',
    }),
  },
  {
    // It was built anew already, so what is lost is beneath the first step: of an image.
    pattern: LOST_LAYER,
    explain: () => ({
      message: 'A layer of the builder’s own cache is gone from its disk.',
      mend: 'Run `docker buildx prune --all --force` on the machine that builds, and `docker image rm` for the images that the Dockerfile begins with.',
    }),
  },
  {
    pattern: /no space left on device/i,
    explain: () => ({
      message: 'The disk is full (no space left on device).',
      mend: 'Free space before this step (`docker system prune --all --force`, or remove tools that the job does not need), or use a larger runner.',
    }),
  },
  {
    pattern: /./s,
    doing: /^exporting cache to /,
    explain: (error) => ({
      message: `The cache could not be exported: ${lastClause(error)}`,
      mend: 'Check `cache-to`; with `ignore-error=true` in it such a failure does not fail the build.',
    }),
  },
  {
    pattern: /too\s?many\s?requests|toomanyrequests|: 429\b/i,
    explain: (error) => ({
      message: `${registryOf(error)} refused the request: too many requests (rate limit).`,
      mend: `Log in to the registry (docker/login-action), which raises the limit, or ${MIRROR}.`,
    }),
  },
  {
    pattern:
      /failed to push ([^\s:]+(?::\d+)?[^\s:]*(?::[^\s:]+)?): .*(?:: 40[13]\b|unauthorized|denied|forbidden|no basic auth|authentication required|insufficient_scope|failed to authorize)/is,
    explain: (_error, reference) => ({
      message: `The registry did not let \`${reference}\` be pushed (not logged in, or no permission).`,
      mend: LOGIN,
    }),
  },
  {
    pattern: /failed to push ([^\s:]+(?::\d+)?[^\s:]*(?::[^\s:]+)?): (.*)/s,
    explain: (_error, reference, why) => ({
      message: `\`${reference}\` could not be pushed: ${lastClause(why)}`,
      mend: 'Check the registry’s name and that it can be reached from this runner.',
    }),
  },
  {
    pattern:
      /: 401\b|unauthorized|authorization failed|access denied|pull access|forbidden|no basic auth|insufficient_scope|failed to authorize/i,
    explain: (error) => ({
      message: `${registryOf(error)} did not let ${imageOf(error)} be pulled: it does not exist, or it is private and this job is not logged in.`,
      mend: `Check the name. ${LOGIN}`,
    }),
  },
  {
    pattern: /(?:^|: )(\S+\/\S+|\S+:\S+): not found$/,
    explain: (_error, image) => ({
      message: `The image \`${image}\` does not exist in its registry.`,
      mend: `Check its name and tag, or ${MIRROR}.`,
    }),
  },
  {
    pattern: /server gave HTTP response to HTTPS client/i,
    explain: (error) => ({
      message: `${registryOf(error)} speaks plain HTTP.`,
      mend: 'Serve it over TLS, or name it as insecure in the builder’s configuration (docker/setup-buildx-action’s `buildkitd-config-inline`).',
    }),
  },
  {
    pattern:
      /no such host|connection refused|i\/o timeout|TLS handshake|x509|network is unreachable|no route to host|connection reset by peer|dial tcp/i,
    explain: (error) => ({
      message: `${registryOf(error)} cannot be reached: ${lastClause(error)}`,
      mend:
        error.includes('/v2/') || /\blookup\b/.test(error)
          ? `Check the name and the runner’s network, or ${MIRROR}.`
          : 'Check the address and the runner’s network.',
    }),
  },
  {
    pattern: /granting entitlement (\S+) is not allowed by build daemon configuration/i,
    explain: (_error, name) => ({
      message: `The build needs the entitlement \`${name}\`, which the builder’s own configuration does not permit.`,
      mend: `Use a builder that does: docker/setup-buildx-action with \`buildkitd-flags: --allow-insecure-entitlement ${name}\`, and \`builder\` here.`,
    }),
  },
  {
    pattern: /(network\.host|security\.insecure|device) is not allowed|granting entitlement (\S+) is not allowed/i,
    explain: (_error, one, other) => ({
      message: `The build needs the entitlement \`${one || other}\`, which was not granted.`,
      mend: `Add \`${one || other}\` to the input \`allow\` (the builder must permit it, too: docker/setup-buildx-action’s \`buildkitd-flags\`).`,
    }),
  },
  {
    pattern: /^secret (\S+): not found/,
    explain: (_error, id) => ({
      message: `The secret \`${id}\` was not given.`,
      mend: `Add \`${id}=…\` to the input \`secrets\`.`,
    }),
  },
  {
    pattern: /failed to stat (.+?): .*no such file or directory/,
    explain: (_error, path) => ({
      message: `The file \`${path}\` does not exist.`,
      mend: 'Check the paths in `secret-files` and `ssh`, and that an earlier step makes the file.',
    }),
  },
  {
    pattern: /failed to convert agent config.*stat (.+?): no such file or directory/,
    explain: (_error, path) => ({
      message: `\`ssh\`: \`${path}\` does not exist.`,
      mend: 'Give the path of a key or of an agent’s socket, or start an agent before this step and set `ssh: default`.',
    }),
  },
  {
    // It was there when the inputs were read.
    pattern: /failed to get build context (\S+): (?:stat|lstat|path) (.+?)(?:: no such file or directory| not found)/,
    explain: (_error, name, path) => ({
      message: `The directory \`${path}\` of the named context \`${name}\` does not exist any more.`,
      mend: 'Look for another step or process of this job that removes it.',
    }),
  },
  {
    pattern: /exporter "(.*?)" could not be found/,
    explain: (_error, type) => ({
      message: `\`outputs\`: there is no type \`${type}\`.`,
      mend: 'Use `local`, `tar`, `oci`, `docker`, `image` or `registry`.',
    }),
  },
  {
    pattern: /failed to create synctarget dest dir (.+?): (.*)/,
    explain: (_error, path, why) => ({
      message: `\`outputs\`: the directory \`${path}\` cannot be made (${why}).`,
      mend: 'Give a `dest` that this job’s user may write.',
    }),
  },
  {
    pattern: /unknown flag: (--\S+)/,
    explain: (_error, flag) => ({
      message: `The Dockerfile syntax of this builder does not know the flag \`${flag}\`.`,
      mend: 'Check its spelling, or name a newer syntax in the first line, such as `# syntax=docker/dockerfile:1` (or `:1-labs`).',
    }),
  },
  {
    pattern: /unset ssh forward key (\S+)|invalid empty ssh agent socket|could not (?:open|connect).*ssh/i,
    explain: (_error, key) => ({
      message: `The build needs an SSH key or agent${key === '' ? '' : ` (\`${key}\`)`}, which was not given.`,
      mend: 'Start an agent before this step (webfactory/ssh-agent) and set `ssh: default`.',
    }),
  },
  {
    pattern:
      /(multi-platform build|OCI exporter|docker exporter|cache export|attestation|exporting manifest lists)[^.]*not (?:currently )?support/i,
    explain: (error) => ({
      message: `The builder cannot do this: ${error}`,
      mend: 'Remove `builder` so that stage-build chooses one, or use a docker-container builder (docker/setup-buildx-action).',
    }),
  },
  {
    pattern: /no builder "(.*?)" found/,
    explain: (_error, name) => ({
      message: `The builder \`${name}\` is gone.`,
      mend: 'Create it in this job before this step (docker/setup-buildx-action).',
    }),
  },
  {
    pattern:
      /cannot connect to the docker daemon|code = Unavailable|error reading from server|closing transport|failed to (?:dial|list workers)|EOF$/i,
    explain: (error) => ({
      message: `The builder went away during the build: ${lastClause(error)}`,
      mend: 'Look for an engine that was restarted or ran out of memory, and run the job again.',
    }),
  },
  {
    pattern: /invalid reference format(.*)/,
    explain: (error) => ({
      message: `An image name is not valid: ${lastClause(error)}`,
      mend: 'Check `tags`, `outputs` and `external-images`.',
    }),
  },
  {
    pattern: /tag is needed when pushing/,
    explain: () => ({
      message: 'A target is pushed but has no tag.',
      mend: 'Give every pushed target a tag with `tags`.',
    }),
  },
]

/** The meaning of an error; one that is not known is shown as it is. */
export function explain({ error, tail, doing }: ErrorFacts): Explanation {
  if (tail.some((line) => /exec format error/i.test(line)) || /exec format error/i.test(error)) return EMULATION
  for (const { pattern, doing: during, explain: meaning } of KINDS) {
    if (during !== undefined && !during.test(doing ?? '')) continue
    const match = pattern.exec(error)
    if (match === null) continue
    const { message, ...rest } = meaning(error, match[1] ?? '', match[2] ?? '')
    return { ...rest, message: sentence(message) }
  }
  return { message: sentence(error) }
}

/** What a RUN's exit code and last words tell beyond themselves. */
export function explainExit(code: number, tail: readonly string[]): string | undefined {
  if (tail.some((line) => /exec format error/i.test(line))) return EMULATION.mend
  if (tail.some((line) => /no space left on device/i.test(line)))
    return 'The disk is full: free space before this step, or use a larger runner.'
  if (tail.some((line) => /exec: "\/bin\/sh".*no such file/.test(line)))
    return 'The image has no shell (`FROM scratch`?): write the command as a list, `RUN ["program", "argument"]`, or start from an image with a shell.'
  if (code === 137)
    return 'The command was killed, most often for want of memory: use a larger runner or fewer parallel jobs.'
  if (code === 127)
    return 'The command was not found in the image: check its name, and that an earlier instruction installs it.'
  return undefined
}

const EMULATION: Explanation & { readonly mend: string } = {
  message: 'A program for another platform cannot run here (exec format error).',
  mend: 'Add a `docker/setup-qemu-action` step before this one, or build the platform on a runner of its own kind.',
}

function registryOf(error: string): string {
  const host = /https?:\/\/([^/"\s]+)/.exec(error)?.[1] ?? /(?:lookup|dial tcp) ([a-z0-9.:-]+)/i.exec(error)?.[1]
  return host === undefined ? 'The registry' : `\`${host}\``
}

function imageOf(error: string): string {
  const image = /(?:metadata for|pull access denied for) ([^\s:]+(?::[^\s:]+)*)/.exec(error)?.[1]
  return image === undefined ? 'an image' : `\`${image.replace(/[,:]$/, '')}\``
}

function lastClause(error: string): string {
  return error.split(': ').slice(-3).join(': ')
}
