// The audit's pages and filters, and what came of walking its chain. Pure.
import type { AuditRow, Verified } from '../../api/types'

/** So many at once. */
export const LIMIT = 100

/** Names of actions as words: `user_made`, `user made`. */
export const words = (action: string): string => action.replaceAll('_', ' ')

/** Rows in which every word stands, whatever its case; and of one result only. */
export function shownRows(rows: readonly AuditRow[], text: string, result: string): readonly AuditRow[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean)
  return rows.filter((row) => {
    if (result !== '' && row.result !== result) return false
    const all = `${row.seq} ${row.by} ${row.source} ${row.action} ${words(row.action)} ${row.object} ${row.text}`.toLowerCase()
    return wanted.every((word) => all.includes(word))
  })
}

/** Who stands in these rows, by name. */
export const names = (rows: readonly AuditRow[]): readonly string[] => [...new Set(rows.map((row) => row.by))].sort()

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
