/** A thread beside the one that walks a context: lists directories and reads small files for it. A program of its own, `dist/context-helper.js`. */
import { type MessagePort, workerData } from 'node:worker_threads'
import { ContentReader, type ReadContent } from './content-id.ts'
import { listDirectory } from './directory-listing.ts'
import { type Answer, type HelperData, packListings, type Question } from './helper-messages.ts'

const { port, answered } = workerData as HelperData<MessagePort>
const reader = new ContentReader()

port.on('message', (question: Question) => {
  const answer = answerOf(question)
  port.postMessage(answer, answer.kind === 'list' ? [answer.numbers.buffer] : [])
  Atomics.add(answered, 0, 1)
  Atomics.notify(answered, 0)
})

function answerOf(question: Question): Answer {
  if (question.kind === 'list') return packListings(question.paths.map((path) => attempt(() => listDirectory(path))))
  const contents = question.paths.map((path) =>
    attempt((): ReadContent | undefined => {
      const content = reader.readSmall(path, question.format)
      return content === 'large' ? undefined : content
    }),
  )
  return { kind: 'read', contents }
}

/** What fails is done again by who asked, and then told. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
