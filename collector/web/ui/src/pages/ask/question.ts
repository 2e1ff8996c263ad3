// A question to hosts: what is in the URL as what is sent, and as a command. Pure.
import { parseDuration } from '../../time/format'
import { shellWord } from '../../parts/querytext'

/** As the URL has it. */
export interface Question {
  readonly table: string
  /** Names with commas or spaces between. */
  readonly columns: string
  /** Conditions, one a line. */
  readonly where: string
  /** Matchers, one a line. */
  readonly matchers: string
  /** Names of hosts with spaces between. */
  readonly hosts: string
  readonly timeout: string
  readonly limit: string
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean)
const lines = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter(Boolean)

/** Whether it is a number of rows, or left to the collector. */
export const isLimit = (text: string): boolean => /^\d{0,6}$/.test(text)

/** What is sent. What is empty is left to the collector. */
export function bodyOf(question: Question): Record<string, unknown> {
  const body: Record<string, unknown> = { table: question.table }
  for (const [name, all] of [['columns', words(question.columns)], ['where', lines(question.where)], ['matchers', lines(question.matchers)], ['hosts', words(question.hosts)]] as const) if (all.length > 0) body[name] = all
  if (question.timeout) body['timeout'] = question.timeout
  if (question.limit) body['limit'] = Number(question.limit)
  return body
}

/** The same as a command. */
export function commandOf({ table, columns, where, matchers, hosts, timeout, limit }: Question): string {
  const all = [
    ...lines(where).map((one) => ['--where', one]),
    ...(words(columns).length > 0 ? [['--columns', words(columns).join(',')]] : []),
    ...lines(matchers).map((one) => ['--hosts', one]),
    ...words(hosts).map((one) => ['--host', one]),
    ...(timeout ? [['--timeout', timeout]] : []),
    ...(limit ? [['--limit', limit]] : []),
  ]
  return ['muster ask', shellWord(table), ...all.map(([name = '', value = '']) => `${name} ${shellWord(value)}`)].join(' ')
}

/** Hosts have so long by themselves, and at most. */
export const [STANDARD_MS, MOST_MS] = [5000, 30_000]
/** The answer comes with the end of the time at the latest; it is waited for a little longer. */
const MORE_MS = 10_000

export const waitOf = (timeout: string): number => Math.min(MOST_MS, parseDuration(timeout) ?? STANDARD_MS) + MORE_MS

/** Missing hosts by the reason, the most common first. */
export function byReason(missing: readonly { readonly host: string; readonly why: string; readonly problem: string }[]): readonly { readonly why: string; readonly problems: readonly string[]; readonly hosts: readonly string[] }[] {
  const found = new Map<string, { why: string; problems: Set<string>; hosts: string[] }>()
  for (const { host, why, problem } of missing) {
    const one = found.get(why) ?? { why, problems: new Set(), hosts: [] }
    one.problems.add(problem)
    one.hosts.push(host)
    found.set(why, one)
  }
  return [...found.values()].map((one) => ({ ...one, problems: [...one.problems] })).sort((a, b) => b.hosts.length - a.hosts.length)
}
