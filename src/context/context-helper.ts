/** A thread beside the one that walks a context: lists directories and reads small files for it. A program of its own, `dist/context-helper.js`. */
import { type MessagePort, workerData } from 'node:worker_threads'
import { ContentReader, type ReadContent } from './content-id.ts'
import { listOrNothing } from './directory-listing.ts'
import { type Answer, type HelperData, packListings, type Question } from './helper-messages.ts'
import { scout } from './scouting.ts'

const { port, answered, scouting } = workerData as HelperData<MessagePort>
const reader = new ContentReader()

if (scouting !== undefined) {
  const { directory, stopped } = scouting
  send(scout(directory, () => Atomics.load(stopped, 0) !== 0))
}

port.on('message', (question: Question) => {
  send(answerOf(question))
})

function send(answer: Answer): void {
  port.postMessage(answer, answer.kind === 'read' ? [] : [answer.numbers.buffer])
  Atomics.add(answered, 0, 1)
  Atomics.notify(answered, 0)
}

function answerOf(question: Question): Answer {
  if (question.kind === 'list') return packListings(question.paths.map(listOrNothing))
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
