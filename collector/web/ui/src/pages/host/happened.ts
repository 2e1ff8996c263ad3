// What happened to a host: events as the log has them, as marks and gaps on plots, and states of checks over time. Pure.
import type { Check, CheckState, Labels } from '../../api/types'
import type { PlotMark } from '../../parts/Plot'

export interface Streams {
  readonly data: { readonly result: readonly { readonly stream: Labels; readonly values: readonly (readonly [string, string])[] }[] }
  readonly warnings?: readonly string[]
}

export interface Happened {
  readonly id: string
  readonly ms: number
  /** state, boot, change, loss, alert, notice. */
  readonly what: string
  readonly kind: string
  readonly text: string
  readonly labels: Labels
}

/** Nanoseconds as the log's API writes them, in ms. */
export const msOf = (nanos: string): number => Number(nanos.slice(0, -6))

/** Events, the newest first. */
export function happened(answer: Streams | undefined): Happened[] {
  const all = (answer?.data.result ?? []).flatMap(({ stream, values }) =>
    values.map(([nanos, text]): Happened => ({ id: `${nanos} ${stream['kind'] ?? ''} ${text}`, ms: msOf(nanos), what: stream['event'] ?? '', kind: stream['kind'] ?? '', text, labels: stream })),
  )
  return all.sort((a, b) => b.ms - a.ms)
}

/** A tone that is a colour too. */
export function toneOf({ kind, labels, what }: Happened): 'ok' | 'warning' | 'critical' | 'unknown' | 'busy' | 'off' | 'accent' {
  if (kind === 'check_state') {
    const state = labels['to']
    return state === 'OK' ? 'ok' : state === 'CRITICAL' ? 'critical' : state === 'WARNING' ? 'warning' : 'unknown'
  }
  if (kind === 'alert_firing') return labels['severity'] === 'critical' ? 'critical' : 'warning'
  if (kind === 'alert_resolved' || kind === 'host_returned') return 'ok'
  if (kind === 'host_silent') return 'critical'
  if (what === 'boot' || kind === 'host_rebooting' || kind === 'host_booted') return 'busy'
  if (kind === 'agent_stopped' || kind === 'agent_restarted') return 'off'
  if (what === 'loss') return 'warning'
  return 'accent'
}

/** More marks than these hide the plot: of those that would lie on each other the worst is kept. */
const MARKS_MAX = 100
const TONES: readonly string[] = ['accent', 'off', 'ok', 'busy', 'unknown', 'warning', 'critical']

/** The words of a mark; the page says already which host has changed. */
const markText = ({ kind, text }: Happened): string => (kind === 'inventory_change' ? text.replace(/^host `[^`]*` has /, '') : text)

/** What is marked on plots: not who was told or has taken it, and a check's change not again as its alert. */
export function marksOf(events: readonly Happened[], span: { from: number; to: number }): (PlotMark & { readonly host: string })[] {
  const isChange = new Set(events.filter(({ kind }) => kind === 'check_state').map(({ labels }) => labels['check']))
  const kept = new Map<number, PlotMark & { colour: string; host: string }>()
  for (const event of events) {
    if (event.what === 'notice' || event.kind.endsWith('acknowledged') || (event.what === 'alert' && isChange.has(event.labels['check']))) continue
    const place = Math.floor(((event.ms - span.from) / (span.to - span.from)) * MARKS_MAX)
    const [before, mark] = [kept.get(place), { at: event.ms, text: markText(event), colour: toneOf(event), host: event.labels['host'] ?? '' }]
    if (!before || TONES.indexOf(mark.colour) > TONES.indexOf(before.colour)) kept.set(place, mark)
  }
  return [...kept.values()]
}

/** From when a host was away to when it was back; what began before the span began with it. */
export function awayOf(events: readonly Happened[], span: { from: number; to: number }): { from: number; to: number; why: string }[] {
  const gaps: { from: number; to: number; why: string }[] = []
  let since: Happened | null = null
  for (const event of [...events].reverse()) {
    if (['host_silent', 'agent_stopped', 'host_rebooting'].includes(event.kind)) since ??= event
    else if (['host_returned', 'host_booted', 'agent_restarted'].includes(event.kind)) {
      if (since) gaps.push({ from: since.ms, to: event.ms, why: since.text })
      else if (event.kind === 'host_returned') gaps.push({ from: span.from, to: event.ms, why: event.text })
      since = null
    }
  }
  if (since) gaps.push({ from: since.ms, to: span.to, why: since.text })
  return gaps
}

/** Times of which data is known to be missing for good: events of losses say from when to when. */
export function lostOf(events: readonly Happened[], span: { from: number; to: number }): { from: number; to: number; why: string }[] {
  return events.flatMap(({ what, labels, text }) => {
    const [from, to] = [Number(labels['from_ms']), Number(labels['to_ms'])]
    const isKnown = what === 'loss' && from > 0 && to >= from && to >= span.from && from <= span.to
    return isKnown ? [{ from: Math.max(from, span.from), to: Math.min(to, span.to), why: text }] : []
  })
}

const LETTER: Readonly<Record<string, string>> = { OK: '.', WARNING: 'w', CRITICAL: 'c', UNKNOWN: 'u' }
const RANK = '-.uwc'

/**
 * A check's states over a span as a strip: the worst of each piece of time; what is not known is no data. `seen`: of when its first result in
 * the span is, in ms. A new check's first change is one from OK too, so before `seen` that says nothing.
 */
export function stripOf(check: Pick<Check, 'check' | 'state' | 'since_ms'>, events: readonly Happened[], span: { from: number; to: number }, now: number, seen: number | undefined, pieces = 48): string {
  const changes = events.filter(({ kind, labels }) => kind === 'check_state' && labels['check'] === check.check).sort((a, b) => a.ms - b.ms)
  // Before the first change it was what that was after; without one it is as it is, since when it is so.
  const first = changes[0]
  const steps: { at: number; state: string }[] = []
  if (first) {
    const before = first.labels['from'] ?? ''
    steps.push({ at: before === 'OK' ? Math.min(seen ?? first.ms, first.ms) : span.from, state: before })
    for (const change of changes) steps.push({ at: change.ms, state: change.labels['to'] ?? '' })
  } else steps.push({ at: Math.max(span.from, check.since_ms), state: check.state })
  const size = (span.to - span.from) / pieces
  return Array.from({ length: pieces }, (_, piece) => {
    const [from, to] = [span.from + piece * size, Math.min(now, span.from + (piece + 1) * size)]
    let worst = '-'
    for (const [at, step] of steps.entries()) {
      const end = steps[at + 1]?.at ?? Infinity
      const letter = LETTER[step.state] ?? '-'
      if (step.at < to && end > from && from < now && RANK.indexOf(letter) > RANK.indexOf(worst)) worst = letter
    }
    return worst
  }).join('')
}

/** A range of the monitoring plugins (`10`, `10:`, `~:10`, `10:20`, `@10:20`): whether the value is bad. */
export function isBad(range: string, value: number): boolean {
  const parts = /^(@?)(?:(~|-?[\d.]+)?:)?(-?[\d.]+)?$/.exec(range.trim())
  if (!parts || range.trim() === '') return false
  const low = parts[2] === '~' ? -Infinity : Number(parts[2] ?? 0)
  const high = parts[3] === undefined ? Infinity : Number(parts[3])
  const isOut = value < low || value > high
  return parts[1] === '@' ? !isOut : isOut
}

/** The upper end of such a range; null: it has none. */
export function endOf(range: string): number | null {
  const found = /(-?[\d.]+)$/.exec(range.trim())?.[1]
  return found === undefined || range.trim().endsWith(':') ? null : Number(found)
}

export function stateOfValue(value: number | null, warn: string, crit: string): CheckState {
  if (value === null) return 'UNKNOWN'
  return isBad(crit, value) ? 'CRITICAL' : isBad(warn, value) ? 'WARNING' : 'OK'
}
