// What a query of metrics may be, and what could be written at a place of it. Pure but for `complete`, which asks for names.
import { ask } from '../../api/ask'
import { quoted } from '../../api/matrix'
import type { Labels } from '../../api/types'
import type { Offer } from '../../parts/complete'
import { OPERATORS, spanWord, shellWord, spotAt, valueOffers, WINDOWS, type Completion } from '../../parts/querytext'
import { path } from '../../url/link'

/** Parameters of the URL: a query each. */
export const NAMES = ['q', 'q2', 'q3', 'q4', 'q5', 'q6'] as const

const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'stddev', 'stdvar', 'group', 'topk', 'bottomk', 'quantile', 'count_values']
const OVER_TIME = ['avg', 'min', 'max', 'sum', 'count', 'last', 'quantile', 'stddev', 'present', 'absent'].map((name) => `${name}_over_time`)
const OTHERS = 'rate irate increase delta idelta deriv predict_linear changes resets abs absent ceil floor round clamp clamp_min clamp_max exp ln log2 log10 sqrt histogram_quantile label_replace label_join scalar vector sort sort_desc time timestamp hour minute day_of_week'.split(' ')
export const FUNCTIONS: readonly Offer[] = [...AGGREGATIONS, ...OVER_TIME, ...OTHERS].map((name) => ({ text: `${name}(`, note: 'function' }))

/** The letter of a query by its place. */
export const letter = (at: number): string => String.fromCharCode(65 + at)

/** What is plotted of a metric of a host: of a counter how fast it grows. */
export function queryOf(name: string, host: string): string {
  const selector = `${name}{host=${quoted(host)}}`
  return name.endsWith('_total') ? `rate(${selector}[5m])` : selector
}

export interface NameGroup {
  readonly prefix: string
  readonly names: readonly string[]
}

/** Names by their first two words, `node_cpu`; those that stay alone by their first. In the order of their letters. */
export function groupsOf(names: readonly string[]): NameGroup[] {
  const first = (name: string, words: number): string => name.split('_').slice(0, words).join('_')
  const counts = new Map<string, number>()
  for (const name of names) counts.set(first(name, 2), (counts.get(first(name, 2)) ?? 0) + 1)
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const prefix = (counts.get(first(name, 2)) ?? 0) > 1 ? first(name, 2) : first(name, 1)
    groups.set(prefix, [...(groups.get(prefix) ?? []), name])
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([prefix, names]) => ({ prefix, names: [...names].sort() }))
}

/** The names of hosts in an answer: of whose events there are marks. */
export function hostsOf(all: readonly { readonly metric: Labels }[]): string[] {
  return [...new Set(all.flatMap(({ metric }) => (metric['host'] ? [metric['host']] : [])))].sort()
}

/** How many points a plot of this width has; the same one for widths that are near each other. */
export function pointsOf(width: number): number {
  return Math.max(60, Math.min(360, Math.floor(width / 200) * 60))
}

/** The span as a command; what ends now has no end of its own. */
export function command(query: string, time: { from: number; to: number }, step: number, isLast: boolean): string {
  const at = isLast ? '' : ` --at ${Math.round(time.to / 1000)}`
  return `muster query --since ${spanWord(time.to - time.from)}${at} --step ${spanWord(step)} -- ${shellWord(query)}`
}

async function names(label: string | null, selector: string): Promise<readonly string[]> {
  const where = '/api/v1' + (label === null ? '/labels' : path('label', label, 'values'))
  const answer = await ask<{ data?: readonly string[] }>(where, { 'match[]': selector || null })
  return answer.kind === 'data' ? (answer.data.data ?? []) : []
}

/** What could be written at the caret; what fails offers nothing. */
export async function complete(text: string, caret: number): Promise<Completion | null> {
  const spot = spotAt(text, caret)
  const plain = (all: readonly string[]): Offer[] => all.filter((name) => name !== '__name__').map((name) => ({ text: name }))
  switch (spot.kind) {
    case 'none':
      return null
    case 'label':
      return { from: spot.from, offers: plain(await names(null, spot.selector)) }
    case 'operator':
      return { from: spot.from, offers: OPERATORS }
    case 'value':
      return { from: spot.from, offers: valueOffers(await names(spot.label, spot.selector), spot.quote) }
    case 'grouping':
      return { from: spot.from, offers: plain(await names(null, '')) }
    case 'window':
      return { from: spot.from, offers: WINDOWS }
    case 'word':
      return spot.from === caret ? null : { from: spot.from, offers: [...plain(await names('__name__', '')), ...FUNCTIONS] }
  }
}
