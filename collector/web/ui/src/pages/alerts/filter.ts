// Which alerts are shown, and in which groups. Pure.
import type { Alert, AlertState, AnyState, CheckState } from '../../api/types'
import { own } from '../../api/own'
import { matches, parseMatchers } from '../calendar/matcher'

/** Words that must all stand somewhere, and matchers such as `host=web-1` or `severity!=page`. */
export function filterAlerts(alerts: readonly Alert[], text: string, states: readonly string[]): Alert[] {
  const words: string[] = text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []
  const tests = words.map((word) => {
    const matchers = parseMatchers(word)
    if (typeof matchers !== 'string') return (alert: Alert): boolean => matchers.every((matcher) => matches(alert.labels, matcher))
    const low = word.toLowerCase()
    return (alert: Alert): boolean => [...Object.values(alert.labels), ...Object.values(alert.annotations)].some((value) => value.toLowerCase().includes(low))
  })
  return alerts.filter((alert) => (states.length === 0 || states.includes(alert.state)) && tests.every((test) => test(alert)))
}

export type Row = { readonly kind: 'head'; readonly key: string; readonly name: string; readonly count: number } | { readonly kind: 'alert'; readonly key: string; readonly alert: Alert }

const RANK: Readonly<Record<AlertState, number>> = { firing: 0, pending: 1, resolved: 2 }

/** Firing first, the newest first; under heads by the values of a label where one is named. */
export function rowsOf(alerts: readonly Alert[], label: string): Row[] {
  const sorted = [...alerts].sort((a, b) => RANK[a.state] - RANK[b.state] || b.active_ms - a.active_ms || a.id.localeCompare(b.id))
  const row = (alert: Alert): Row => ({ kind: 'alert', key: alert.id, alert })
  if (!label) return sorted.map(row)
  const groups = new Map<string, Alert[]>()
  for (const alert of sorted) {
    const value = own(alert.labels, label) ?? ''
    groups.set(value, [...(groups.get(value) ?? []), alert])
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })).flatMap(([name, own]): Row[] => [{ kind: 'head', key: `head/${name}`, name, count: own.length }, ...own.map(row)])
}

/** Names of labels, the most frequent first. */
export function labelNames(alerts: readonly Alert[]): string[] {
  const seen = new Map<string, number>()
  for (const alert of alerts) for (const name of Object.keys(alert.labels)) seen.set(name, (seen.get(name) ?? 0) + 1)
  return [...seen].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([name]) => name)
}

/** What a mark shows of a severity. */
export function severityState(severity: string | undefined): CheckState | null {
  if (severity === 'critical' || severity === 'page') return 'CRITICAL'
  return severity === 'warning' ? 'WARNING' : null
}

export const isState = (text: string): text is AlertState & AnyState => text in RANK
