// What the collector has dropped or refused, by what and why: of a range, from its own counters. Pure.
import { own } from '../../api/own'
import type { Labels, Reading } from '../../api/types'
import { LEVELS, lossOf, ON_HOSTS, reasonOf, REMEDIES } from './losses'

/** A series of `query_range`. */
export interface Series {
  readonly metric: Labels
  readonly values: readonly (readonly [seconds: number, value: string])[]
}

export interface Drop {
  readonly key: string
  readonly name: string
  /** `ingest lines dropped`. */
  readonly what: string
  /** `reason` and other labels in words: `read, unauthorized`. */
  readonly why: string
  /** What it counts, as a sentence. */
  readonly help: string
  readonly remedy: string
  /** In the range; null: its history does not tell. */
  readonly inRange: number | null
  /** Since the collector's start. */
  readonly sinceStart: number
  /** How much in each step, for a line. */
  readonly steps: readonly (number | null)[]
}

/** Labels that every number of the collector has, and that tell nothing here. */
const COMMON = new Set(['__name__', 'host', 'instance', 'job', 'source'])

const telling = (labels: Labels): [string, string][] => Object.entries(labels).filter(([name]) => !COMMON.has(name)).sort(([a], [b]) => (a < b ? -1 : 1))
const keyOf = (name: string, labels: Labels): string => name + JSON.stringify(telling(labels))

/**
 * By how much a counter rose in each step between `times`. A fall is a new start, and counts from 0. The first value of all is no rise: what
 * it rose from is not known, unless the process that counts began within `times` (`started`, in seconds) and before it.
 */
export function rises(values: readonly (readonly [number, string])[], times: readonly number[], started: number): (number | null)[] {
  const at = new Map(values.map(([seconds, value]) => [Math.round(seconds), Number(value)]))
  const first = times[0] ?? Infinity
  let last: number | null = null
  return times.map((time, index) => {
    const value = at.get(time)
    if (value === undefined || !Number.isFinite(value)) return null
    const before: number | null = last ?? (index > 0 && started >= first && started <= time ? 0 : null)
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
  const all = numbers.flatMap((number): Drop[] => {
    const loss = lossOf(number.name)
    if (loss === null) return []
    const key = keyOf(number.name, number.labels)
    // What is a level has no rise: it says how many there are.
    const steps = LEVELS.has(loss) ? [] : rises(histories.get(key) ?? [], times, startedMs / 1000)
    const known = steps.filter((one): one is number => one !== null)
    return [
      {
        key,
        name: number.name,
        what: loss.replaceAll('_', ' '),
        why: telling(number.labels).map(([, value]) => reasonOf(value)).join(', '),
        help: number.help,
        remedy: own(REMEDIES, loss) ?? '',
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

/** An instant answer of PromQL. */
export interface Instant {
  readonly data: { readonly result: readonly { readonly metric: Labels; readonly value: readonly [number, string] }[] }
}

export interface HostLoss {
  readonly key: string
  readonly host: string
  readonly what: string
  readonly why: string
  readonly remedy: string
  /** In the range; null: nothing was heard at its beginning. */
  readonly inRange: number | null
  /** Since its agent's start. */
  readonly sinceStart: number
}

/** What agents count, of those that are not 0 now; `before` is the same question at the beginning of the range. */
export function hostLosses(now: Instant, before: Instant | undefined): readonly HostLoss[] {
  const key = (labels: Labels): string => JSON.stringify([labels['__name__'], labels['host'], labels['reason']])
  const past = new Map((before?.data.result ?? []).map(({ metric, value }) => [key(metric), Number(value[1])]))
  const all = now.data.result.flatMap(({ metric, value }): HostLoss[] => {
    const known = own(ON_HOSTS, /^muster_agent_(.+)_total$/.exec(metric['__name__'] ?? '')?.[1] ?? '')
    const sinceStart = Number(value[1])
    if (!known || !(sinceStart > 0)) return []
    const then = past.get(key(metric))
    const reason = metric['reason'] ?? ''
    return [{ key: key(metric), host: metric['host'] ?? '', what: known[0], why: reason && reasonOf(reason), remedy: known[1], inRange: then === undefined ? null : sinceStart < then ? sinceStart : sinceStart - then, sinceStart }]
  })
  return all.sort((a, b) => (b.inRange ?? 0) - (a.inRange ?? 0) || b.sinceStart - a.sinceStart || (a.key < b.key ? -1 : 1))
}
