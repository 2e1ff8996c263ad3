// The audit's pages and filters, and what came of walking its chain. Pure.
import type { AuditRow, Verified } from '../../api/types'
import { shellWord } from '../../parts/querytext'
import { parseDuration } from '../../time/format'

/** So many at once. */
export const LIMIT = 100

/** Names of actions as words: `user_made`, `user made`. */
export const withSpaces = (action: string): string => action.replaceAll('_', ' ')

/** What is asked for; empty: everything. `since` is a duration or a time, `until` a time. */
export interface Wanted {
  readonly text: string
  readonly who: string
  readonly action: string
  readonly object: string
  readonly result: string
  readonly since: string
  readonly until: string
}

/** A duration back from now, a time, or milliseconds since 1970; null: it is none of these. */
export function momentOf(text: string, now: number): number | null {
  const back = parseDuration(text)
  if (back !== null) return now - back
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isFinite(ms) && text !== '' ? ms : null
}

/** Rows that fit; a collector that knows only some of the filters has sent others too. */
export function shownRows(rows: readonly AuditRow[], wanted: Wanted, now: number): readonly AuditRow[] {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean)
  const [since, until] = [momentOf(wanted.since, now) ?? -Infinity, momentOf(wanted.until, now) ?? Infinity]
  return rows.filter((row) => {
    if ((wanted.result && row.result !== wanted.result) || (wanted.who && row.by !== wanted.who) || (wanted.action && row.action !== wanted.action) || (wanted.object && row.object !== wanted.object)) return false
    if (row.ms < since || row.ms > until) return false
    const all = `${row.seq} ${row.by} ${row.source} ${row.action} ${withSpaces(row.action)} ${row.object} ${row.text}`.toLowerCase()
    return words.every((word) => all.includes(word))
  })
}

/** The same as a command, for the collector's machine or who is logged in there. */
export function commandOf(wanted: Wanted, limit: number): string {
  const flags = [['--since', wanted.since], ['--until', wanted.until], ['--by', wanted.who], ['--action', wanted.action], ['--object', wanted.object], ['--result', wanted.result]] as const
  return ['muster audit list', ...flags.filter(([, value]) => value !== '').map(([flag, value]) => `${flag} ${shellWord(value)}`), ...(wanted.since ? [] : [`--limit ${limit}`])].join(' ')
}

/** What stands in a column of these rows, and what is chosen there. */
export const valuesOf = (rows: readonly AuditRow[], column: 'by' | 'action', chosen: string): readonly string[] => [...new Set([...rows.map((row) => row[column]), chosen])].filter(Boolean).sort()

/** A hash noted earlier: 64 hexadecimal characters. */
export function wrongHash(text: string): string | null {
  return text === '' || /^[0-9a-f]{64}$/i.test(text) ? null : 'A hash has 64 hexadecimal characters'
}

/** In one sentence. */
export function verdict(verified: Verified, noted: string): { readonly tone: 'ok' | 'critical'; readonly title: string; readonly text: string } {
  if (verified.ok) {
    const rows = verified.rows ?? 0
    const text = rows === 0 ? 'There is no row yet.' : `Each of its ${rows.toLocaleString('en-GB')} rows, from ${verified.first_seq} to ${verified.head_seq}, follows from the one before.`
    const more = noted !== '' && verified.noted_seq != null ? ` Row ${verified.noted_seq} has the noted hash.` : ''
    return { tone: 'ok', title: 'The chain is whole.', text: text + more }
  }
  const at = verified.broken_seq == null ? 'No row has the noted hash: rows were taken away or written anew.' : `Row ${verified.broken_seq} is not as it must be.`
  return { tone: 'critical', title: 'The chain is broken.', text: verified.why ? `${at} ${verified.why}` : at }
}

/** The `before` of pages that were looked at, newest first, as the URL has them: `90,60`. */
export const readTrail = (text: string): readonly number[] => text.split(',').filter(Boolean).map(Number).filter((one) => Number.isSafeInteger(one) && one > 0)
