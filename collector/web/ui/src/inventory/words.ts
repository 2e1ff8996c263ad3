// Rows of inventories and their changes as texts. Pure.
import type { Cell, Cells, Change, TableColumn, TableShape } from '../api/inventory'
import type { Shape, Tone } from '../parts/states'
import { bytes, dateTime } from '../time/format'

export interface KindLook {
  readonly word: string
  readonly tone: Tone
  readonly shape: Shape
}

const KINDS: Readonly<Record<string, KindLook>> = {
  added: { word: 'Added', tone: 'ok', shape: 'plus' },
  removed: { word: 'Removed', tone: 'critical', shape: 'minus' },
  changed: { word: 'Changed', tone: 'busy', shape: 'delta' },
  deploy: { word: 'Deploy', tone: 'busy', shape: 'turn' },
}

/** The look of a kind of change that may be a newer collector's. */
export function lookOfKind(kind: string): KindLook {
  return (Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined) ?? { word: kind || 'Not known', tone: 'off', shape: 'question' }
}

/** A value to people; empty: there is none. */
export function cellText(value: Cell | undefined, column: TableColumn | undefined, utc: boolean): string {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'number') return value
  if (column?.kind === 'time') return dateTime(value * 1000, utc)
  return column?.name.endsWith('_bytes') ? bytes(value) : String(value)
}

/** The same in the middle of a sentence. */
export function saidValue(value: Cell | undefined, column: TableColumn | undefined, utc: boolean): string {
  if (value === null || value === undefined) return 'none'
  return value === '' ? 'empty' : cellText(value, column, utc)
}

export interface Difference {
  readonly name: string
  readonly before: string
  readonly after: string
}

/** The columns in which two rows differ; of one row alone all that it has. */
export function differences(one: Cells | null, other: Cells | null, shape: TableShape | undefined, utc: boolean): Difference[] {
  const found: Difference[] = []
  for (let at = 0; at < Math.max(one?.length ?? 0, other?.length ?? 0); at += 1) {
    const [before, after] = [one?.[at] ?? null, other?.[at] ?? null]
    if (before === after) continue
    const column = shape?.columns[at]
    const said = (row: Cells | null, value: Cell): string => (row === null ? '' : saidValue(value, column, utc))
    found.push({ name: column?.name ?? `column ${at + 1}`, before: said(one, before), after: said(other, after) })
  }
  return found
}

/** What happened, in words. Of what is no news the collector names the thing alone: which of its columns differ stands here. */
export function wordsOf(change: Change, shape: TableShape | undefined, utc: boolean): string {
  if (change.is_news || !change.before || !change.after) return change.words
  const told = differences(change.before, change.after, shape, utc).map(({ name, before, after }) => `${name} ${before} -> ${after}`)
  return `${change.words.replace(/:?\s*$/, '')}: ${told.join(', ')}`
}

/** Between which looks it happened. */
export function betweenOf(after_ms: number | null, until_ms: number, utc: boolean): string {
  return after_ms === null ? `so at the first look, ${dateTime(until_ms, utc)}: since then or longer` : `between ${dateTime(after_ms, utc)} and ${dateTime(until_ms, utc)}`
}

/** What a row is called: its key, else what its table is called. */
export function keyText(key: Cells, shape: Pick<TableShape, 'one'>): string {
  return key.map((one) => (one === null || one === '' ? '-' : String(one))).join(' ') || shape.one
}

/** A column is at least so wide, and at most: longer texts have a title. */
const [LEAST_PX, MOST_PX] = [72, 340]
/** About the width of a character, and of the arrow and the gap beside a title. */
const [CHARACTER_PX, MORE_PX] = [7.4, 28]
/** Rows that a column is judged by. */
export const JUDGED = 200

/** How wide a column of these texts is, in pixels, so that most of them are read whole. */
export function columnWidth(title: string, texts: readonly string[]): number {
  const longest = texts.reduce((most, { length }) => Math.max(most, length), title.length)
  return Math.min(MOST_PX, Math.max(LEAST_PX, Math.round(longest * CHARACTER_PX) + MORE_PX))
}

/** A text of the URL as a moment, ms; null: none. */
export function momentOf(text: string): number | null {
  const ms = Number(text)
  return /^\d{1,15}$/.test(text) && Number.isSafeInteger(ms) ? ms : null
}
