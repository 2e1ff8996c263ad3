// The series of an alert. Pure.
import type { Labels, Matrix } from '../../api/types'

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
