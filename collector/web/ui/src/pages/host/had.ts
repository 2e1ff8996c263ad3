// What a host has and is: rows of a table, and what differs from another host or moment. Pure.
import type { Cells, ChangeKind, ComparedTable, RowSince, TableColumn, TableRows } from '../../api/inventory'
import { cellText, differences, keyText } from '../../inventory/words'

export interface HaveRow {
  readonly key: string
  readonly cells: Cells
  readonly since: RowSince | null
}

export function haveRows({ rows, since, keys }: TableRows): HaveRow[] {
  return rows.map((cells, at) => ({ key: JSON.stringify(cells.slice(0, keys)), cells, since: since?.[at] ?? null }))
}

const wordsIn = (text: string): string[] => text.toLowerCase().split(/\s+/).filter(Boolean)

/** Rows that have all of the words, as they are shown. */
export function fittingRows(rows: readonly HaveRow[], columns: readonly TableColumn[], text: string, utc: boolean): readonly HaveRow[] {
  const words = wordsIn(text)
  if (words.length === 0) return rows
  return rows.filter(({ cells }) => {
    const all = cells.map((cell, at) => cellText(cell, columns[at], utc)).join(' ').toLowerCase()
    return words.every((word) => all.includes(word))
  })
}

export interface DifferingRow {
  readonly key: string
  /** `removed`: only the first side has it; `added`: only the second. */
  readonly kind: ChangeKind
  readonly thing: string
  readonly what: string
}

export function differingRows(table: ComparedTable, text: string, utc: boolean): DifferingRow[] {
  const words = wordsIn(text)
  const all = table.rows.map(({ key, one, other }): DifferingRow => {
    const kind: ChangeKind = one === null ? 'added' : other === null ? 'removed' : 'changed'
    // The key says already which thing it is.
    const told = differences(one, other, table, utc).filter(({ name }) => kind === 'changed' || !table.columns.slice(0, table.keys).some((column) => column.name === name))
    const what = told.filter(({ before, after }) => kind === 'changed' || (before || after) !== 'none').map(({ name, before, after }) => (kind === 'changed' ? `${name} ${before} -> ${after}` : `${name} ${before || after}`))
    return { key: JSON.stringify(key), kind, thing: keyText(key, table), what: what.join(', ') }
  })
  return all.filter(({ thing, what }) => words.every((word) => `${thing} ${what}`.toLowerCase().includes(word)))
}

/** What the comparison is asked with: this host against another one, or itself, each now or at a moment; null: there is nothing to compare with. */
export function comparison(host: string, at: number | null, other: string, otherAt: number | null, table: string): Record<string, string | number | null> | null {
  const second = other || host
  if ((other === '' && otherAt === null) || (second === host && at === otherAt)) return null
  return { one: host, one_at: at, other: second, other_at: otherAt, table: table || null }
}
