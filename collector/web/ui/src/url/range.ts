// The time that is looked at: `?since=1h`, or `?from=ms&to=ms`; and how times are written: `?tz=utc`.
import { computed } from '@preact/signals'
import { parseDuration } from '../time/format'
import { here, setSearch } from './location'

/** The last so many milliseconds, or a span that stays. */
export type Range = { readonly kind: 'last'; readonly text: string; readonly ms: number } | { readonly kind: 'span'; readonly from: number; readonly to: number }

const STANDARD: Range = { kind: 'last', text: '1h', ms: 3_600_000 }
/** What the picker offers. */
export const OFFERED: readonly string[] = ['15m', '1h', '3h', '6h', '12h', '24h', '2d', '7d', '30d', '90d']

/** What the parameters say; what they say wrongly is the last hour. */
export function readRange(search: URLSearchParams): Range {
  const [from, to] = [search.get('from'), search.get('to')]
  if (from !== null && to !== null) {
    const [a, b] = [Number(from), Number(to)]
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && a < b) return { kind: 'span', from: a, to: b }
  }
  const since = search.get('since')
  const ms = since === null ? null : parseDuration(since)
  return since !== null && ms !== null && ms > 0 ? { kind: 'last', text: since, ms } : STANDARD
}

/** Both ends, in milliseconds since 1970. */
export function span(range: Range, now: number): { from: number; to: number } {
  return range.kind === 'span' ? { from: range.from, to: range.to } : { from: now - range.ms, to: now }
}

/** The parameters of a range; the standard one has none. */
export function rangeSearch(range: Range): Record<'since' | 'from' | 'to', string | null> {
  if (range.kind === 'span') return { since: null, from: String(Math.round(range.from)), to: String(Math.round(range.to)) }
  const isStandard = range.kind === STANDARD.kind && range.ms === STANDARD.ms
  return { since: isStandard ? null : range.text, from: null, to: null }
}

/** A step for queries over this span: at least `least` ms, so that a plot of `points` points shows it. */
export function step(range: { from: number; to: number }, points = 240, least = 10_000): number {
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].map((s) => s * 1000)
  const wanted = Math.max(least, (range.to - range.from) / points)
  return STEPS.find((one) => one >= wanted) ?? 86_400_000
}

export const range = computed(() => readRange(here.value.search))

export function setRange(range: Range): void {
  setSearch(rangeSearch(range), 'push')
}

/** A span that somebody dragged on a plot. */
export function setSpan(from: number, to: number): void {
  if (to > from) setRange({ kind: 'span', from, to })
}

/** Whether times are written in UTC. */
export const isUtc = computed(() => here.value.search.get('tz') === 'utc')

export function setUtc(utc: boolean): void {
  setSearch({ tz: utc ? 'utc' : null }, 'replace')
}
