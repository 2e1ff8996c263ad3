// What can be done about problems: each change is one request a problem or one for all, and all that failed is said.
import { change } from '../../api/ask'
import type { Answer } from '../../api/answer'
import { api } from '../../url/link'
import type { Problem } from './problem'

export type Action = 'acknowledge' | 'unacknowledge' | 'silence' | 'downtime'

/** Requests at a time: a storm of acknowledgements must not take all connections of the collector. */
const AT_ONCE = 6

export interface Done {
  readonly done: number
  /** What failed, a line each. */
  readonly failed: readonly string[]
}

/** Only problems of checks can be acknowledged; others are silenced. */
export function canAcknowledge(problem: Problem): boolean {
  return problem.kind === 'check' && problem.host !== '' && problem.check !== ''
}

async function each(problems: readonly Problem[], send: (problem: Problem) => Promise<Answer<unknown>>): Promise<Done> {
  const rest = [...problems]
  const failed: string[] = []
  let done = 0
  const work = async (): Promise<void> => {
    for (let problem = rest.shift(); problem; problem = rest.shift()) {
      const answer = await send(problem)
      if (answer.kind === 'data') done += 1
      else failed.push(`${problem.name} on ${problem.host}: ${answer.message}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { done, failed }
}

export function acknowledge(problems: readonly Problem[], comment: string, until: number | null, sticky: boolean): Promise<Done> {
  return each(problems, ({ host, check }) => change('POST', api('checks', host, check, 'ack'), { comment, sticky, until_ms: until }))
}

export function unacknowledge(problems: readonly Problem[]): Promise<Done> {
  return each(problems, ({ host, check }) => change('DELETE', api('checks', host, check, 'ack')))
}

function one(answer: Answer<unknown>): Done {
  return answer.kind === 'data' ? { done: 1, failed: [] } : { done: 0, failed: [`${answer.message}${answer.remedy ? ` (${answer.remedy})` : ''}`] }
}

export async function silence(body: object): Promise<Done> {
  return one(await change('POST', '/api/v2/silences', body))
}

export async function downtime(matchers: readonly string[], reason: string, endsMs: number): Promise<Done> {
  return one(await change('POST', api('downtimes'), { matchers, reason, ends_ms: endsMs }))
}
