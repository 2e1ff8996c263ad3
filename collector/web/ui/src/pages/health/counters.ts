// What the collector has dropped or refused, by what and why: of a range, from its own counters. Pure.
import type { Labels, Reading } from '../../api/types'

/** Counters of what was lost or turned away; `reason` and others are labels. */
export const DROPS = /^muster_collector_(.+)_(dropped|refused)_total$/
export const DROPS_QUERY = '{__name__=~"muster_collector_.+_(dropped|refused)_total"}'

/** A series of `query_range`. */
export interface Series {
  readonly metric: Labels
  readonly values: readonly (readonly [seconds: number, value: string])[]
}

export interface Drop {
  readonly key: string
  readonly name: string
  /** `ingest lines`. */
  readonly what: string
  readonly did: 'dropped' | 'refused'
  /** `reason` and other labels: `too old`, `read, unauthorized`. */
  readonly why: string
  readonly help: string
  /** In the range; null: its history does not tell. */
  readonly inRange: number | null
  /** Since the collector's start. */
  readonly sinceStart: number
  /** How much in each step, for a line. */
  readonly steps: readonly (number | null)[]
}

/** Labels that every number of the collector has, and that tell nothing here. */
const COMMON = new Set(['__name__', 'host', 'instance', 'job', 'source'])

const own = (labels: Labels): [string, string][] => Object.entries(labels).filter(([name]) => !COMMON.has(name)).sort(([a], [b]) => (a < b ? -1 : 1))
const keyOf = (name: string, labels: Labels): string => name + JSON.stringify(own(labels))

/**
 * By how much a counter rose in each step between `times`. A fall is a new start, and counts from 0; so does the first value where the counter
 * itself began in the range.
 */
export function rises(values: readonly (readonly [number, string])[], times: readonly number[], beganInRange: boolean): (number | null)[] {
  const at = new Map(values.map(([seconds, value]) => [Math.round(seconds), Number(value)]))
  let last: number | null = null
  return times.map((time, index) => {
    const value = at.get(time)
    if (value === undefined || !Number.isFinite(value)) return null
    const before: number | null = last ?? (beganInRange && index > 0 ? 0 : null)
    last = value
    return before === null ? null : value < before ? value : value - before
  })
}

/** Times of a range's steps, in whole seconds. */
export function stepsOf(from: number, to: number, step: number): number[] {
  const [first, last, each] = [Math.floor(from / 1000), Math.floor(to / 1000), Math.max(1, Math.round(step / 1000))]
  return Array.from({ length: Math.floor((last - first) / each) + 1 }, (_, at) => first + at * each)
}

/** Each counter that there is: those that rose first, the most of them first. */
export function drops(numbers: readonly Reading[], series: readonly Series[] | undefined, times: readonly number[], startedMs: number): readonly Drop[] {
  const histories = new Map((series ?? []).map((one) => [keyOf(one.metric['__name__'] ?? '', one.metric), one.values]))
  const began = startedMs / 1000 >= (times[0] ?? Infinity)
  const all = numbers.flatMap((number): Drop[] => {
    const found = DROPS.exec(number.name)
    if (!found) return []
    const key = keyOf(number.name, number.labels)
    const steps = rises(histories.get(key) ?? [], times, began)
    const known = steps.filter((one): one is number => one !== null)
    return [
      {
        key,
        name: number.name,
        what: (found[1] ?? '').replaceAll('_', ' '),
        did: found[2] === 'refused' ? 'refused' : 'dropped',
        why: own(number.labels).map(([, value]) => value.replaceAll('_', ' ')).join(', '),
        help: number.help,
        inRange: known.length > 0 ? known.reduce((sum, one) => sum + one, 0) : null,
        sinceStart: number.value,
        steps,
      },
    ]
  })
  const rank = (drop: Drop): number => drop.inRange ?? 0
  return all.sort((a, b) => rank(b) - rank(a) || b.sinceStart - a.sinceStart || (a.key < b.key ? -1 : 1))
}

/** Whether it is worth a line of its own. */
export const isZero = (drop: Drop): boolean => (drop.inRange ?? 0) === 0 && drop.sinceStart === 0
