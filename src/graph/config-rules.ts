/**
 * What EXPOSE, STOPSIGNAL, VOLUME and mounts refuse when they are carried out.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchExpose,
 * dispatchStopSignal, dispatchVolume), https://github.com/docker/go-connections/blob/v0.6.0/nat/nat.go,
 * https://github.com/moby/sys/blob/signal/v0.7.1/signal/signal_linux.go
 */
import { SyntaxFault } from '../dockerfile/dockerfile-error.ts'
import { atoi, goQuote, rootedPath } from '../dockerfile/go-text.ts'

const SIGNALS: ReadonlySet<string> = new Set([
  ...(
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP ' +
    'TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
  ).split(' '),
  ...Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`),
  ...Array.from({ length: 14 }, (_, index) => `RTMAX-${index + 1}`),
])

/** @throws SyntaxFault where the text, expanded, is no signal */
export function checkSignal(signal: string): void {
  const number = atoi(signal)
  const known = number === undefined ? SIGNALS.has(signal.toUpperCase().replace(/^SIG/, '')) : number !== 0n
  if (!known) throw new SyntaxFault(`invalid signal: ${signal}`)
}

/** @throws SyntaxFault where a volume is empty once expanded */
export function checkVolume(path: string): void {
  if (path === '') throw new SyntaxFault('VOLUME specified can not be an empty string')
}

/** @throws SyntaxFault where `[[ip:]host:]port[-end][/protocol]`, expanded, has no proper port or protocol */
export function checkPort(text: string): void {
  const [ports = '', protocol = 'tcp'] = text.split('/')
  const port = ports.slice(ports.lastIndexOf(':') + 1)
  const invalid = `invalid port: "${text}"`
  if (port === '') throw new SyntaxFault(`${invalid}: no port specified`)
  const range = port.split('-')
  const [start, end] = [portNumber(range[0] ?? ''), portNumber(range.at(-1) ?? '')]
  if (start === undefined || end === undefined || range.length > 2 || end < start) {
    throw new SyntaxFault(`invalid containerPort: ${port}`)
  }
  if (!['', 'tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
    throw new SyntaxFault(`${invalid}: invalid proto: ${protocol}`)
  }
}

function portNumber(text: string): number | undefined {
  return /^[0-9]+$/.test(text) && Number(text) < 65536 ? Number(text) : undefined
}

/** Nothing can be mounted over the root. Where the base image sets the directory, only a missing target is certain. */
export function checkMountTarget(target: string, workdir: string | undefined): void {
  if (!target.startsWith('/') && target !== '' && workdir === undefined) return
  // An absolute target is not cleaned: `/x/..` passes.
  const resolved = target.startsWith('/') ? target : rootedPath(`${workdir ?? ''}/${target}`)
  if (resolved === '/') throw new SyntaxFault(`invalid mount target ${goQuote('/')}`)
}
