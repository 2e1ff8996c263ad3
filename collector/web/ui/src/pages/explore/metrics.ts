// What a query of metrics may be, and what could be written at a place of it. Pure but for `complete`, which asks for names.
import { ask } from '../../api/ask'
import { quoted } from '../../api/matrix'
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
