// What was found on hosts, as it is listed: the same thing on many hosts is one line. Pure.
import type { Decision, Item } from '../api/discovery'
import { lookOf } from '../parts/states'

export const KINDS = ['daemon', 'unit', 'port', 'mount', 'certificate', 'container'] as const
export const STATES = ['gone', 'proposed', 'accepted', 'ignored', 'archived'] as const

/** Chosen by: the same key may be on any host. */
export const idOf = ({ host_id, key }: Item): string => `${host_id} ${key}`

/** The same thing in the same state, by name of host. */
export interface Thing {
  readonly id: string
  readonly first: Item
  readonly all: readonly Item[]
}

/** Whether a text is in what is known of it. */
const has = (item: Item, text: string): boolean => [item.key, item.words, item.host, item.by, item.reason, ...Object.values(item.fields)].some((one) => one.toLowerCase().includes(text))

/** Things in which a text is: what is gone first, then by kind, then what most hosts have. */
export function things(items: readonly Item[], text: string): Thing[] {
  const found = new Map<string, Item[]>()
  const wanted = text.trim().toLowerCase()
  for (const item of items) {
    if (wanted !== '' && !has(item, wanted)) continue
    const id = `${item.state} ${item.key}`
    const all = found.get(id)
    if (all) all.push(item)
    else found.set(id, [item])
  }
  const made = [...found].flatMap(([id, all]) => {
    all.sort((a, b) => a.host.localeCompare(b.host, 'en', { numeric: true }))
    return all[0] ? [{ id, first: all[0], all }] : []
  })
  const place = (kind: string): number => KINDS.indexOf(kind as (typeof KINDS)[number])
  // States and kinds of a newer collector stand together too.
  const group = (one: Item, other: Item): number => lookOf(other.state).rank - lookOf(one.state).rank || one.state.localeCompare(other.state) || place(one.kind) - place(other.kind) || one.kind.localeCompare(other.kind)
  return made.sort((a, b) => group(a.first, b.first) || b.all.length - a.all.length || a.first.key.localeCompare(b.first.key, 'en', { numeric: true }))
}

export type FoundRow =
  | { readonly kind: 'head'; readonly key: string; readonly of: Item; readonly things: number; readonly items: number }
  | { readonly kind: 'thing'; readonly key: string; readonly thing: Thing; readonly isOpen: boolean }
  | { readonly kind: 'host'; readonly key: string; readonly item: Item }

/** What is drawn: a heading for each state and kind, its things, and the hosts of those that are unfolded. */
export function rowsOf(all: readonly Thing[], opened: ReadonlySet<string>): FoundRow[] {
  const rows: FoundRow[] = []
  let before = ''
  for (const thing of all) {
    const { state, kind } = thing.first
    if (`${state} ${kind}` !== before) {
      before = `${state} ${kind}`
      const same = all.filter(({ first }) => first.state === state && first.kind === kind)
      rows.push({ kind: 'head', key: `head ${before}`, of: thing.first, things: same.length, items: same.reduce((sum, one) => sum + one.all.length, 0) })
    }
    const isOpen = opened.has(thing.id)
    rows.push({ kind: 'thing', key: thing.id, thing, isOpen })
    if (isOpen) for (const item of thing.all) rows.push({ kind: 'host', key: `${thing.id} ${item.host_id}`, item })
  }
  return rows
}

/** What may be done with a thing in its state, what is meant first. */
export function decisionsOf(state: string): readonly Decision[] {
  if (state === 'proposed') return ['accept', 'ignore']
  if (state === 'gone') return ['archive', 'ignore']
  return state === 'accepted' ? ['archive'] : ['accept']
}

/** What was never accepted has nothing to be archived; the rest can always be decided anew. */
export const can = (decision: Decision, { state }: Item): boolean => (decision === 'archive' ? state === 'accepted' || state === 'gone' : state !== `${decision}${decision === 'accept' ? 'ed' : 'd'}`)

/** What is watched when it is accepted. */
export function bringsOf({ checks, profile }: Item): string {
  const named = checks.map(({ name, kind }) => String(name ?? kind ?? 'check'))
  return [...(profile === null ? [] : [`profile ${profile}`]), ...named.map((name) => `check ${name}`)].join(', ')
}
