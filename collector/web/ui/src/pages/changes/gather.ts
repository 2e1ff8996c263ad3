// The feed of changes: what is asked for, which of them stand together, and what is drawn of them. Pure.
import type { Change, TableShape } from '../../api/inventory'
import { differences, momentOf, type Difference } from '../../inventory/words'
import { dateTime, parseDuration } from '../../time/format'

/** So many changes are one page. */
export const LIMIT = 500
/** The same change on other hosts stands with the first within this time: an upgrade of a fleet takes about so long. */
export const TOGETHER_MS = 3_600_000
/** `since` is asked from the beginning of a minute, so that the question stays the same for a while. */
const MINUTE_MS = 60_000

/** The times of the URL: `since=7d` (empty: of any time), or `from` and `to` in ms, either of which may be missing. */
export interface Times {
  readonly from: number | null
  readonly to: number | null
  /** What is no time. */
  readonly wrong: string | null
}

export function timesOf(search: URLSearchParams, now: number): Times {
  const [since, from, to] = [search.get('since'), search.get('from'), search.get('to')]
  if (from !== null || to !== null) {
    const wrong = [from, to].find((text) => text !== null && momentOf(text) === null) ?? null
    return { from: momentOf(from ?? ''), to: momentOf(to ?? ''), wrong }
  }
  if (since === null || since === '') return { from: null, to: null, wrong: null }
  const back = parseDuration(since)
  return back === null ? { from: null, to: null, wrong: since } : { from: Math.floor((now - back) / MINUTE_MS) * MINUTE_MS, to: null, wrong: null }
}

/** A change, with those hosts beside its own that had the same one at about the time. */
export interface Line {
  /** Of all lines of the same change, as the URL has it. */
  readonly id: string
  readonly key: string
  /** The newest first; each of another host. */
  readonly all: readonly Change[]
}

/** A short name of a text; only what is unfolded depends on it. */
function digest(text: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0).toString(36)
}

const sameness = ({ table, kind, words, key }: Change): string => JSON.stringify([table, kind, words, key])

/** Lines of changes, the newest first: the same change on several hosts within `TOGETHER_MS` is one; again on the same host it is another. */
export function gathered(changes: readonly Change[]): Line[] {
  const lines: { id: string; key: string; all: Change[]; hosts: Set<string> }[] = []
  const open = new Map<string, (typeof lines)[number]>()
  for (const change of changes) {
    const same = sameness(change)
    const line = open.get(same)
    const newest = line?.all[0]
    if (line && newest && Math.abs(newest.until_ms - change.until_ms) <= TOGETHER_MS && !line.hosts.has(change.host_id)) {
      line.all.push(change)
      line.hosts.add(change.host_id)
      continue
    }
    const id = digest(same)
    const made = { id, key: `${id} ${change.host_id} ${change.until_ms} ${lines.length}`, all: [change], hosts: new Set([change.host_id]) }
    open.set(same, made)
    lines.push(made)
  }
  return lines
}

export type Item =
  | { readonly kind: 'day'; readonly key: string; readonly day: string; readonly count: number }
  | { readonly kind: 'line'; readonly key: string; readonly line: Line; readonly change: Change; readonly isOpen: boolean }
  | { readonly kind: 'value'; readonly key: string; readonly of: Change; readonly difference: Difference }
  | { readonly kind: 'host'; readonly key: string; readonly change: Change }

/** What is drawn: days, their lines, and below those that are unfolded the columns that differ and the hosts. */
export function itemsOf(lines: readonly Line[], opened: ReadonlySet<string>, shapes: ReadonlyMap<string, TableShape>, utc: boolean): Item[] {
  const items: Item[] = []
  const dayOf = (line: Line): string => dateTime(line.all[0]?.until_ms ?? NaN, utc).slice(0, 10)
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(dayOf(line), (counts.get(dayOf(line)) ?? 0) + line.all.length)
  let day = ''
  for (const [place, line] of lines.entries()) {
    const change = line.all[0]
    if (!change) continue
    if (dayOf(line) !== day) {
      day = dayOf(line)
      items.push({ kind: 'day', key: `${day} ${place}`, day, count: counts.get(day) ?? 0 })
    }
    const isOpen = opened.has(line.id)
    items.push({ kind: 'line', key: line.key, line, change, isOpen })
    if (!isOpen) continue
    for (const difference of differences(change.before, change.after, shapes.get(change.table), utc)) items.push({ kind: 'value', key: `${line.key} ${difference.name}`, of: change, difference })
    for (const one of line.all) items.push({ kind: 'host', key: `${line.key} ${one.host_id}`, change: one })
  }
  return items
}

/** The places of the pages before this one, newest first, as the URL has them. */
export const readTrail = (text: string): readonly string[] => text.split(',').filter((one) => /^[0-9a-f]+$/.test(one))

/** Names of hosts in the URL, each once. */
export const hostsOf = (text: string): readonly string[] => [...new Set(text.split(/\s+/).filter(Boolean))]
