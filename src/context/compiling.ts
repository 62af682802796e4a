/**
 * V8 compiles what runs often again, on threads of its own, for programs that run for long. A walk of a hundred thousand files is
 * over before that pays: on a machine with two processors the compiler takes a sixth of what they do meanwhile.
 */
import { availableParallelism } from 'node:os'

/** With more of them there are some to spare. */
const FEW_PROCESSORS = 2

/**
 * Puts most of it off, in all threads, until what it returns is called. V8 asks for the flag each time; what Node loads later of
 * its own takes twice as long, as its stored code is for other flags.
 * https://github.com/nodejs/node/blob/v24.11.0/deps/v8/src/execution/tiering-manager.cc (ShouldOptimize)
 */
export function putOffCompiling(processors = availableParallelism()): () => void {
  if (processors > FEW_PROCESSORS) return () => undefined
  // Its module takes two milliseconds, which only a large walk is worth.
  const { setFlagsFromString } = process.getBuiltinModule('node:v8')
  setFlagsFromString('--efficiency-mode')
  return () => {
    setFlagsFromString('--no-efficiency-mode')
  }
}
