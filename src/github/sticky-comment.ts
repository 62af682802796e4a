/**
 * The one comment per pull request. GitHub has no compare-and-swap for comments, so a write is read back after a while, and
 * repeated if another writer has undone it: the comment with the lowest id is the one, each writer puts in its own
 * section, and nobody removes what others wrote.
 */
import { field, list, positive, text } from '../json-fields.ts'
import {
  findSection,
  isOfCommit,
  isSaid,
  mergeSection,
  parseComment,
  REPORT_MARKER,
  type CommentSection,
  type StoredSection,
} from './comment-body.ts'
import { describeError, failure, success, undocumented, type GithubError, type Outcome } from './github-error.ts'
import { pagesOf } from './pages.ts'
import type { GithubClient } from './rest-client.ts'

export interface CommentOptions {
  readonly client: GithubClient
  /** `owner/name` */
  readonly repository: string
  /** The pull request's. */
  readonly number: number
  readonly section: CommentSection
  /** Whether to make the comment where there is none yet. */
  readonly create: boolean
  /**
   * Milliseconds before a write is read back, at least: longer than another writer takes from reading to writing.
   * Default 1500.
   */
  readonly settleMs?: number | undefined
}

/** What became of it: for one notice or warning. */
export type CommentResult =
  | { readonly kind: 'written'; readonly url: string; readonly action: 'created' | 'updated' | 'unchanged' }
  | { readonly kind: 'skipped'; readonly reason: string; readonly mend?: string | undefined }
  | {
      readonly kind: 'refused'
      readonly reason: string
      readonly mend?: string | undefined
      /** The token may not write comments. */
      readonly lacksRights: boolean
    }

/** Puts a section into the pull request's comment. Never rejects. */
export async function writeComment(options: CommentOptions): Promise<CommentResult> {
  const outcome = await new Writer(options).write()
  if (!outcome.ok) return refusal(options.number, outcome.error)
  if (outcome.value === undefined) {
    return { kind: 'skipped', reason: `Pull request #${options.number} has no comment yet, and nothing calls for one.` }
  }
  return { kind: 'written', ...outcome.value }
}

interface Comment {
  readonly id: number
  readonly url: string
  readonly author: string
  readonly body: string
}

type Written = Pick<Extract<CommentResult, { readonly kind: 'written' }>, 'url' | 'action'>

const COMMENTS = '/repos/{owner}/{repo}/issues/{issue_number}/comments'
const COMMENT = '/repos/{owner}/{repo}/issues/comments/{comment_id}'
/** The author of what GITHUB_TOKEN writes. */
const ACTIONS = 'github-actions[bot]'
const SETTLE_MS = 1500
const WRITES = 5
const ROUNDS = 5
const PAGES = 20
const DELETIONS = 3

class Writer {
  readonly #client: GithubClient
  readonly #options: CommentOptions
  readonly #repository: { readonly owner: string; readonly repo: string }
  readonly #settleMs: number
  /** Sections that others wrote, as last seen: one that vanishes was undone by a third writer. */
  readonly #seen = new Map<string, StoredSection>()
  /** The token's user, once it is known. */
  #self: string | undefined
  /** The comment that this writer made. */
  #made: Comment | undefined
  #writes = 0
  #longest: 'full' | 'compact' = 'full'

  constructor(options: CommentOptions) {
    const [owner = '', repo = ''] = options.repository.split('/')
    this.#client = options.client
    this.#options = options
    this.#repository = { owner, repo }
    this.#settleMs = options.settleMs ?? SETTLE_MS
  }

  /** The value is undefined where there is no comment and none is to be made. */
  async write(): Promise<Outcome<Written | undefined>> {
    for (let round = 1; ; round++) {
      const outcome = await this.#round()
      const isAgain = !outcome.ok && outcome.error === AGAIN
      if (!isAgain) return outcome
      if (round === ROUNDS)
        return failure({ kind: 'unavailable', status: undefined, message: 'the comment keeps moving' })
    }
  }

  async #round(): Promise<Outcome<Written | undefined>> {
    const listed = await this.#ownComments()
    if (!listed.ok) return listed
    const [first, ...duplicates] = listed.value
    if (first === undefined) return await this.#make()
    const written = await this.#update(first)
    if (!written.ok) return written
    await this.#removeDuplicates(written.value.body, duplicates)
    const action = this.#made?.id === first.id ? 'created' : this.#writes === 0 ? 'unchanged' : 'updated'
    return success({ url: first.url, action })
  }

  /** Makes the comment; the next round finds out whether it is the one. */
  async #make(): Promise<Outcome<Written | undefined>> {
    if (!this.#options.create) return success(undefined)
    const { body } = mergeSection([], this.#options.section, this.#longest)
    const sent = await this.#send(`POST ${COMMENTS}`, { issue_number: this.#options.number }, body)
    if (sent.ok) {
      this.#made = sent.value
      this.#self = sent.value.author
      this.#writes++
    } else {
      if (sent.error.kind !== 'unavailable' || sent.error === AGAIN) return sent
      // It may have been made: looked up, and made once more if not.
      if (this.#writes++ >= 2) return sent
    }
    await this.#client.pause(this.#settleMs)
    return failure(AGAIN)
  }

  /** Puts the section into a comment until it stays there; the value is the comment as last read. */
  async #update(listed: Comment): Promise<Outcome<Comment>> {
    const { section } = this.#options
    let comment = listed
    let isFresh = false
    for (;;) {
      const sections = this.#withSeen(parseComment(comment.body))
      const merged = mergeSection(sections.all, section, this.#longest)
      const stored = findSection(sections.all, section)
      const isSame = stored !== undefined && isSaid(stored, section) && isOfCommit(stored, section, sections.all)
      if (isSame && sections.vanished === 0 && (this.#writes > 0 || stored.form === merged.form))
        return success(comment)
      if (this.#writes > WRITES) {
        return failure({ kind: 'unavailable', status: undefined, message: 'other jobs kept replacing the comment' })
      }
      if (isFresh) {
        const sent = await this.#send(`PATCH ${COMMENT}`, { comment_id: comment.id }, merged.body)
        if (!sent.ok) return await this.#updateFailed(sent, listed)
        this.#writes++
        await this.#settle()
      }
      // Read right before a write: the less time between them, the less is undone.
      const read = await this.#read(comment.id)
      if (!read.ok) {
        // What was sent was taken; only nobody has looked.
        if (isFresh && read.error.kind !== 'not-found') return success({ ...comment, body: merged.body })
        return read.error.kind === 'not-found' ? failure(AGAIN) : read
      }
      comment = read.value
      isFresh = true
    }
  }

  async #updateFailed(
    sent: { readonly ok: false; readonly error: GithubError },
    comment: Comment,
  ): Promise<Outcome<Comment>> {
    if (sent.error.kind === 'not-found') return failure(AGAIN)
    if (sent.error.kind !== 'forbidden' || this.#self !== undefined) return sent
    // It may be somebody else's: GITHUB_TOKEN's, where the token is now another one.
    const self = await this.#viewer()
    if (self === undefined || self === comment.author) return sent
    this.#self = self
    return failure(AGAIN)
  }

  /** Creates or edits a comment; one that is too long is sent once more, compact. */
  async #send(route: string, at: Readonly<Record<string, number>>, body: string): Promise<Outcome<Comment>> {
    const answer = await this.#client.request(route, { ...this.#repository, ...at, body })
    if (answer.ok) {
      const comment = readComment(answer.value.data)
      return comment === undefined ? undocumented('comment') : success(comment)
    }
    if (answer.error.status !== 422 || this.#longest === 'compact') return answer
    this.#longest = 'compact'
    return failure(AGAIN)
  }

  async #read(id: number): Promise<Outcome<Comment>> {
    const answer = await this.#client.request(`GET ${COMMENT}`, { ...this.#repository, comment_id: id })
    if (!answer.ok) return answer
    const comment = readComment(answer.value.data)
    return comment === undefined ? undocumented('comment') : success(comment)
  }

  /** A while, the longer and the more different from that of others, the more often a write was undone. */
  async #settle(): Promise<void> {
    const spread = this.#settleMs * 2 ** (this.#writes - 1)
    await this.#client.pause(this.#settleMs + Math.random() * spread)
  }

  /** Sections read, and those that were there once and have vanished. */
  #withSeen(read: readonly StoredSection[]): { readonly all: readonly StoredSection[]; readonly vanished: number } {
    const own = findSection(read, this.#options.section)
    const names = new Set(read.map(({ name }) => name))
    const vanished = [...this.#seen.values()].filter(({ name }) => !names.has(name))
    for (const stored of read) if (stored !== own) this.#seen.set(stored.name, stored)
    return { all: [...read, ...vanished], vanished: vanished.length }
  }

  /** The comments with our marker that are by the token's user, the lowest id first. */
  async #ownComments(): Promise<Outcome<readonly Comment[]>> {
    const marked: Comment[] = this.#made === undefined ? [] : [this.#made]
    const parameters = { ...this.#repository, issue_number: this.#options.number, most: PAGES }
    let isCut = false
    for await (const page of pagesOf(this.#client, `GET ${COMMENTS}`, parameters)) {
      if (!page.ok) return page
      if (!Array.isArray(page.value.data)) return undocumented('list of comments')
      for (const comment of list(page.value.data).map(readComment)) {
        if (comment?.body.trimStart().startsWith(REPORT_MARKER) === true) marked.push(comment)
      }
      isCut = page.value.hasNext
    }
    if (isCut && marked.length === 0) {
      const message = `it has more than ${PAGES * 100} comments`
      return failure({ kind: 'invalid', status: undefined, message })
    }
    const byId = [...new Map(marked.map((comment) => [comment.id, comment])).values()].sort((a, b) => a.id - b.id)
    if (byId.every(({ author }) => author === (this.#self ?? ACTIONS))) return success(byId)
    this.#self ??= (await this.#viewer()) ?? ACTIONS
    return success(byId.filter(({ author }) => author === this.#self))
  }

  async #viewer(): Promise<string | undefined> {
    const answer = await this.#client.query('query { viewer { login } }')
    return answer.ok ? text(field(answer.value, 'viewer', 'login')) : undefined
  }

  /** Removes our own comments that say nothing that the one does not say: two writers made one each. */
  async #removeDuplicates(body: string, duplicates: readonly Comment[]): Promise<void> {
    const told = new Set(parseComment(body).map(({ name }) => name))
    const removable = duplicates.filter((comment) => parseComment(comment.body).every(({ name }) => told.has(name)))
    // The own one first: of others each is its writer's to remove, if that has not died.
    const isMade = ({ id }: Comment): number => (id === this.#made?.id ? 0 : 1)
    for (const { id } of removable.sort((a, b) => isMade(a) - isMade(b)).slice(0, DELETIONS)) {
      await this.#client.request(`DELETE ${COMMENT}`, { ...this.#repository, comment_id: id })
    }
  }
}

/** The comment is to be looked up again. */
const AGAIN: GithubError = { kind: 'unavailable', status: undefined, message: 'the comment has changed' }

function readComment(value: unknown): Comment | undefined {
  const id = positive(field(value, 'id'))
  const body = field(value, 'body')
  if (id === undefined) return undefined
  return {
    id,
    url: text(field(value, 'html_url')) ?? '',
    // A comment of a deleted user has none.
    author: text(field(value, 'user', 'login')) ?? '',
    body: typeof body === 'string' ? body : '',
  }
}

function refusal(number: number, error: GithubError): CommentResult {
  const reason = `The comment on pull request #${number} was not written: ${describeError(error)}.`
  const mend = mendFor(error)
  return { kind: 'refused', reason, mend, lacksRights: mend === ASK_FOR_RIGHTS }
}

const ASK_FOR_RIGHTS = 'Give the job `permissions: pull-requests: write`.'

function mendFor(error: GithubError): string | undefined {
  if (/\block(?:ed)?\b/i.test(error.message)) return 'Unlock the conversation of the pull request.'
  switch (error.kind) {
    case 'forbidden':
    case 'not-found':
      return ASK_FOR_RIGHTS
    case 'rate-limited':
    case 'unavailable':
      return 'The next run writes it.'
    case 'invalid':
      return undefined
  }
}
