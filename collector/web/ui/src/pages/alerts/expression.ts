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
  // What has more labels than the alert is of it where those that both have are equal.
  const akin = all.filter(({ metric }) => {
    const shared = Object.keys(metric).filter((name) => labels[name] !== undefined)
    return shared.length > 0 && shared.every((name) => metric[name] === labels[name])
  })
  const found = own.length > 0 ? own : akin.length > 0 ? akin : all
  const shown = found.slice(0, SERIES_MAX)
  const times = [...new Set(shown.flatMap(({ values }) => values.map(([at]) => at)))].sort((a, b) => a - b)
  const series = shown.map(({ metric, values }) => {
    const at = new Map(values)
    const words = Object.entries(metric).filter(([name]) => name !== '__name__' && name !== 'job' && name !== 'instance').map(([name, value]) => `${name}=${value}`)
    const numberAt = (time: number): number | null => {
      const value = Number(at.get(time) ?? NaN)
      return Number.isFinite(value) ? value : null
    }
    return { label: (found.length === 1 ? metric['__name__'] : '') || words.join(' ') || 'value', values: times.map(numberAt) }
  })
  return { times, series, left: found.length - shown.length }
}

/** Both on one axis of times; those of `other` are called `name`. */
export function joined(own: Series, other: Series, name: string): Series {
  const times = [...new Set([...own.times, ...other.times])].sort((a, b) => a - b)
  const onTimes = ({ times: had, series }: Series, called: (label: string) => string): Series['series'] =>
    series.map(({ label, values }) => {
      const at = new Map(had.map((time, place) => [time, values[place] ?? null]))
      return { label: called(label), values: times.map((time) => at.get(time) ?? null) }
    })
  return { times, series: [...onTimes(own, (label) => label), ...onTimes(other, (label) => (other.series.length > 1 ? `${name} ${label}` : name))], left: own.left + other.left }
}
