// Silences and downtimes as one list, and where they lie in a week or a month. Pure.
import type { Downtime, MuteInterval, Silence } from '../../api/types'
import { ofSilence } from './matcher'
import { parseRecurrence, windows, type Window } from './recurrence'

export interface Item {
  readonly key: string
  readonly kind: 'silence' | 'downtime'
  readonly id: string
  readonly state: 'active' | 'planned' | 'ended'
  readonly matchers: readonly string[]
  readonly from: number
  readonly to: number
  readonly every: string
  readonly zone: string
  readonly by: string
  readonly reason: string
}

const STATES = { active: 'active', pending: 'planned', expired: 'ended', ended: 'ended' } as const

export function itemsOf(silences: readonly Silence[], downtimes: readonly Downtime[]): Item[] {
  const made: Item[] = [
    ...silences.map((one): Item => ({
      key: `silence/${one.id}`, kind: 'silence', id: one.id, state: STATES[one.status.state], matchers: ofSilence(one.matchers),
      from: Date.parse(one.startsAt), to: Date.parse(one.endsAt), every: '', zone: '', by: one.createdBy, reason: one.comment,
    })),
    ...downtimes.map((one): Item => ({
      key: `downtime/${one.id}`, kind: 'downtime', id: String(one.id), state: STATES[one.state], matchers: [...one.matchers, ...(one.hosts ?? [])],
      from: one.starts_ms, to: one.ends_ms, every: one.every ?? '', zone: one.zone ?? 'UTC', by: one.by, reason: one.reason,
    })),
  ]
  return made.sort((a, b) => a.from - b.from || a.key.localeCompare(b.key))
}

/** When it holds within a span; what comes again is drawn out, cut at its start and end. */
export function occurrences(item: Item, span: Window): Window[] {
  const whole = { from: Math.max(item.from, span.from), to: Math.min(item.to, span.to) }
  if (whole.from >= whole.to) return []
  if (!item.every) return [whole]
  const recurrence = parseRecurrence(item.every, item.zone)
  if (typeof recurrence === 'string') return [whole]
  return windows(recurrence, whole).map(({ from, to }) => ({ from: Math.max(from, whole.from), to: Math.min(to, whole.to) })).filter(({ from, to }) => from < to)
}

export interface Block extends Window {
  readonly item: Item
  readonly lane: number
}

/** What holds in a span, each in the first lane that is free; and how many lanes there are. */
export function lanes(items: readonly Item[], span: Window): { blocks: Block[]; count: number } {
  const parts = items.flatMap((item) => occurrences(item, span).map((window) => ({ ...window, item })))
  parts.sort((a, b) => a.from - b.from || b.to - a.to)
  const ends: number[] = []
  const blocks = parts.map((part) => {
    const free = ends.findIndex((end) => end <= part.from)
    const lane = free < 0 ? ends.length : free
    ends[lane] = part.to
    return { ...part, lane }
  })
  return { blocks, count: Math.max(1, ends.length) }
}

/** Spans that are chosen begin and end at such, in ms. */
export const GRID_MS = 900_000
const STEP_MS = 2 * GRID_MS

/** A span of an hour to begin with: from the next half hour on, where that is within these days, else from the first morning on. */
export function firstSpan(days: readonly number[], now: number): Window {
  const [first = 0, last = 0] = [days[0], days.at(-1)]
  const from = now >= first && now < last - 2 * STEP_MS ? Math.ceil(now / STEP_MS) * STEP_MS : first + 9 * 3_600_000
  return { from, to: from + 2 * STEP_MS }
}

/** A span moved by a key, within these days (their begins, and the end of the last): arrows move it, with Shift they move its end. null: another key. */
export function steered({ from, to }: Window, key: string, isShift: boolean, days: readonly number[]): Window | null {
  const [first = 0, last = 0] = [days[0], days.at(-1)]
  const by = key === 'ArrowDown' ? STEP_MS : key === 'ArrowUp' ? -STEP_MS : 0
  if (by !== 0 && isShift) return { from, to: Math.min(last, Math.max(from + STEP_MS, to + by)) }
  const aside = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0
  if (by === 0 && aside === 0) return null
  // Days are not all of the same length.
  const day = days.findIndex((begin, at) => from >= begin && from < (days[at + 1] ?? 0))
  const target = days[day + aside]
  const moved = from + by + (aside !== 0 && target !== undefined && day + aside >= 0 ? target - (days[day] ?? 0) : 0)
  const begin = Math.max(first, Math.min(moved, last - (to - from)))
  return { from: begin, to: begin + (to - from) }
}

/** Both ends of what was dragged, earlier first. */
export const spanOf = (a: number, b: number): Window => ({ from: Math.min(a, b), to: Math.max(a, b) })

/** The begin of the day, moved by so many days, by the clock that is shown. */
export function dayStart(ms: number, utc: boolean, plus = 0): number {
  const at = new Date(ms)
  return utc ? Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + plus) : new Date(at.getFullYear(), at.getMonth(), at.getDate() + plus).getTime()
}

/** The begins of so many days from the Monday of this week on, and the end of the last. */
export function daysFrom(ms: number, utc: boolean, days: number): number[] {
  const at = new Date(ms)
  const weekday = ((utc ? at.getUTCDay() : at.getDay()) + 6) % 7
  return Array.from({ length: days + 1 }, (_, day) => dayStart(ms, utc, day - weekday))
}

/** The first of this month, moved by so many months. */
export function monthStart(ms: number, utc: boolean, plus = 0): number {
  const at = new Date(ms)
  return utc ? Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + plus, 1) : new Date(at.getFullYear(), at.getMonth() + plus, 1).getTime()
}

export function dayName(ms: number, utc: boolean, form: Intl.DateTimeFormatOptions = { weekday: 'short', day: 'numeric', month: 'short' }): string {
  return new Intl.DateTimeFormat('en-GB', utc ? { ...form, timeZone: 'UTC' } : form).format(ms)
}

/** When a period of an interval is: `monday to friday, 09:00 to 17:00, Europe/Berlin`. */
export function periodWords({ times, weekdays, days_of_month: days, months, years, location }: MuteInterval['periods'][number]): string {
  const spans = (all: readonly string[]): string => all.map((one) => one.replace(':', ' to ')).join(' and ')
  const parts = [weekdays && spans(weekdays), days && `day ${spans(days)}`, months && spans(months), years && spans(years), times?.map(({ start_time, end_time }) => `${start_time} to ${end_time}`).join(' and ')]
  return [...parts.filter(Boolean), ...(parts.some(Boolean) ? [] : ['always']), location].join(', ')
}
