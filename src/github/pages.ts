/** Lists of GitHub's API, page by page. https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
import type { Outcome } from './github-error.ts'
import type { Answer, GithubClient } from './rest-client.ts'

const PER_PAGE = 100

/**
 * The pages of a list, asked for one after the other: up to the last, to `most`, or to one that cannot be had, which is
 * given, too. Of what was cut short the last page says that it has a next one.
 */
export async function* pagesOf(
  client: GithubClient,
  route: string,
  { most, ...parameters }: Readonly<Record<string, unknown>> & { readonly most: number },
): AsyncGenerator<Outcome<Answer>> {
  for (let page = 1; page <= most; page++) {
    const answer = await client.request(route, { ...parameters, per_page: PER_PAGE, page })
    yield answer
    if (!answer.ok || !answer.value.hasNext) return
  }
}
