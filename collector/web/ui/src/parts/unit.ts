// What the numbers of a query are: by the names of its metrics, whose last word is their unit, and by what is done with them. Pure.
import { bytes, dateTime, duration, number, percent } from '../time/format'
import { isUtc } from '../url/range'

/** `time` is seconds since 1970; `share` is 1 for all of it, `percent` is 100. */
export type Unit = 'bytes' | 'bytes/s' | 'seconds' | 'time' | 'share' | 'percent' | '1/s' | 'celsius' | ''

/** Without strings, selectors, windows and lists of labels: functions, metrics, numbers and operators. */
function bare(query: string): string {
  return query
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]|\b(?:offset|@)\s*\S+/g, '')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*(?:\([^)]*\))?/g, '')
}

const WORDS = /\b[A-Za-z_:][\w:]*\b(?!\s*\()/g
const NONE: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'bool', 'inf', 'nan'])

/** Names of the metrics of a query. */
export function metricsOf(query: string): string[] {
  return [...new Set((bare(query).match(WORDS) ?? []).filter((name) => !NONE.has(name.toLowerCase())))]
}

function ofName(name: string): Unit {
  if (/_(?:count|bucket)$/.test(name)) return ''
  const end = /_([a-z]+)(?:_total|_sum)?$/.exec(name)?.[1]
  switch (end) {
    case 'bytes':
    case 'celsius':
    case 'percent':
      return end
    case 'ratio':
      return 'share'
    case 'seconds':
      return /(?:timestamp|boot_time|start_time)_seconds$/.test(name) ? 'time' : 'seconds'
    default:
      return ''
  }
}

const COUNTS = /\b(?:count|count_values|group|changes|resets|absent|\w+_count|count_over_time|present_over_time|absent_over_time|stdvar\w*|ln|log2|log10|exp|sgn|day_\w+|days_\w+|hour|minute|month|year)\s*\(/

function perSecond(unit: Unit): Unit {
  return unit === 'bytes' ? 'bytes/s' : unit === 'seconds' ? 'share' : unit === '' ? '1/s' : ''
}

/** The unit of the query's numbers; nothing where that cannot be told. */
export function unitOf(query: string): Unit {
  const text = bare(query)
  const [first = '', second = '', ...others] = metricsOf(query)
  // Histograms: a quantile is of what was measured, and so is the sum by the count.
  if (/\bhistogram_quantile\s*\(/.test(text)) return second ? '' : ofName(first.replace(/_bucket$/, ''))
  const base = first.replace(/_sum$/, '')
  if (second === `${base}_count` && base !== first && others.length === 0 && /\//.test(text)) return ofName(base)
  const units = new Set(metricsOf(query).map(ofName))
  const [one = ''] = units
  if (units.size !== 1 || COUNTS.test(text)) return ''
  const isRate = /\b(?:rate|irate|deriv)\s*\(/.test(text)
  // One by another of the same unit is a share, whether of sizes or of speeds; a hundred beside it makes it percent.
  if (text.includes('/')) {
    if (/[%^]/.test(text) || one === 'time' || one === '') return ''
    // Seconds by a number of things are seconds still, which names do not tell.
    if ((text.match(WORDS) ?? []).length < 2) return ''
    return /\b100\b/.test(text) ? 'percent' : /\*/.test(text) ? '' : 'share'
  }
  if (one === 'time') return /\btime\s*\(/.test(text) ? 'seconds' : isRate || /[*%^]/.test(text) ? '' : 'time'
  const unit = isRate ? perSecond(one) : one
  if (unit === 'share' && /\b100\b/.test(text) && !/[%^]/.test(text)) return 'percent'
  return /[*%^]/.test(text) ? '' : unit
}

const seconds = (value: number): string => {
  const size = Math.abs(value)
  if (size >= 60) return duration(value * 1000)
  return size >= 1 || size === 0 ? `${number(value)} s` : size >= 0.001 ? `${number(value * 1000)} ms` : `${number(value * 1e6)} us`
}

const FORMATS: Readonly<Record<Unit, (value: number) => string>> = {
  bytes,
  'bytes/s': (value) => `${bytes(value)}/s`,
  seconds,
  time: (value) => dateTime(value * 1000, isUtc.peek()),
  share: percent,
  percent: (value) => `${number(value)} %`,
  '1/s': (value) => `${number(value)}/s`,
  celsius: (value) => `${number(value)} \u00b0C`,
  '': number,
}

/** A number of this unit as a text. */
export function formatOf(unit: Unit): (value: number) => string {
  return FORMATS[unit]
}

/** The unit in words, beside a plot. */
export const SAID: Readonly<Record<Unit, string>> = {
  bytes: 'bytes',
  'bytes/s': 'bytes a second',
  seconds: 'seconds',
  time: 'points in time',
  share: 'a share of 100 %',
  percent: 'percent',
  '1/s': 'a second',
  celsius: 'degrees Celsius',
  '': '',
}
