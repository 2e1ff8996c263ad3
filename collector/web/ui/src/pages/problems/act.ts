// What can be done about problems: each change is one request a problem or one for all, and all that failed is said.
import { change } from '../../api/ask'
import type { Answer } from '../../api/answer'
import type { AckRows } from '../../api/types'
import { api } from '../../url/link'
import type { Problem } from './problem'

export type Action = 'acknowledge' | 'unacknowledge' | 'silence' | 'downtime'

/** Of one request, as the API has it. */
const ACK_MAX = 1000
/** Requests at a time: a storm of them must not take all connections of the collector. */
const AT_ONCE = 6

export interface Done {
  readonly done: number
  /** What failed, a line each. */
  readonly failed: readonly string[]
}

/** Problems of checks and of hosts that are away can be acknowledged; those of rules are silenced. A check that is not confirmed has no problem yet. */
export function canAcknowledge(problem: Problem): boolean {
  return (problem.kind === 'check' || problem.kind === 'host') && problem.hostId !== '' && problem.soft === ''
}

export function canTakeBack(problem: Problem): boolean {
  return problem.acknowledgement !== null && problem.kind === 'check'
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

/** All of a request or none of it; what hinders it is named. */
export async function acknowledge(problems: readonly Problem[], comment: string, until: number | null, sticky: boolean): Promise<Done> {
  const failed: string[] = []
  let done = 0
  for (let at = 0; at < problems.length; at += ACK_MAX) {
    const some = problems.slice(at, at + ACK_MAX)
    const checks = some.map(({ hostId, check }) => (check ? { host: hostId, check } : { host: hostId }))
    const answer = await change<AckRows>('POST', api('checks', 'ack'), { checks, comment, sticky, until_ms: until })
    if (answer.kind === 'data') done += some.length
    else {
      const rows = (answer.body as Partial<AckRows> | undefined)?.rows?.filter((row) => row.error) ?? []
      failed.push(...(rows.length > 0 ? rows.map((row) => `${row.check ?? 'host'} on ${row.host}: ${row.error}`) : [answer.message]))
    }
  }
  return { done, failed }
}

export function unacknowledge(problems: readonly Problem[]): Promise<Done> {
  return each(problems, ({ hostId, check }) => change('DELETE', api('checks', hostId, check, 'ack')))
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
