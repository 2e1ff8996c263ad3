// What of a rule's expression is drawn. Pure.
import type { Labels, Matrix } from '../../api/types'

export interface Drawn {
  readonly query: string
  /** The number that the series is compared with. */
  readonly limit: number | null
  /** Whether what lies above it is bad. */
  readonly isAbove: boolean
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/** The expression with what stands in quotes, parentheses, braces and brackets left blank, so that only its outermost operators are seen. */
function outer(text: string): string {
  let depth = 0
  let quote = ''
  let made = ''
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at] ?? ''
    if (quote) {
      if (sign === '\\' && quote !== '`') {
        at += 1
        made += ' '
      } else if (sign === quote) quote = ''
    } else if ('"\'`'.includes(sign)) quote = sign
    else if ('([{'.includes(sign)) depth += 1
    else if (')]}'.includes(sign)) depth -= 1
    else if (depth === 0) {
      made += sign
      continue
    }
    made += ' '
  }
  return made
}

/** `expr > number` is the series of `expr` with a limit; anything else is drawn as it is. */
export function drawn(expression: string): Drawn {
  const seen = outer(expression)
  const signs = [...seen.matchAll(/[<>=!]=|[<>]/g)]
  const [sign] = signs
  if (signs.length !== 1 || !sign || /\b(and|or|unless|bool|on|ignoring)\b/.test(seen)) return { query: expression, limit: null, isAbove: false }
  const right = expression.slice(sign.index + sign[0].length).trim()
  if (!NUMBER.test(right)) return { query: expression, limit: null, isAbove: false }
  return { query: expression.slice(0, sign.index).trim(), limit: Number(right), isAbove: sign[0].startsWith('>') }
}

/** More than these are no picture any more. */
const SERIES_MAX = 8

export interface Series {
  readonly times: readonly number[]
  readonly series: readonly { readonly label: string; readonly values: readonly (number | null)[] }[]
  readonly left: number
}

/** The series of the alert, else all; on one axis of times. */
export function seriesOf(matrix: Matrix, labels: Labels): Series {
  const all = matrix.data.result
  const own = all.filter(({ metric }) => Object.entries(metric).every(([name, value]) => name === '__name__' || labels[name] === value))
  const found = own.length > 0 ? own : all
  const shown = found.slice(0, SERIES_MAX)
  const times = [...new Set(shown.flatMap(({ values }) => values.map(([at]) => at)))].sort((a, b) => a - b)
  const series = shown.map(({ metric, values }) => {
    const at = new Map(values)
    const words = Object.entries(metric).filter(([name]) => name !== '__name__' && name !== 'job' && name !== 'instance').map(([name, value]) => `${name}=${value}`)
    const numberAt = (time: number): number | null => {
      const value = Number(at.get(time) ?? NaN)
      return Number.isFinite(value) ? value : null
    }
    return { label: (own.length === 1 ? metric['__name__'] : '') || words.join(' ') || 'value', values: times.map(numberAt) }
  })
  return { times, series, left: found.length - shown.length }
}
