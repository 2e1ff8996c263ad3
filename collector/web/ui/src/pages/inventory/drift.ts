// What hosts have otherwise than expected: groups and rows in the order in which they are looked at, and in words. Pure.
import type { DriftGroup, DriftKey, OtherRow, TableShape } from '../../api/inventory'
import { differences, saidValue } from '../../inventory/words'

/** The worst first: most rows for its hosts. */
export const worstFirst = (groups: readonly DriftGroup[]): readonly DriftGroup[] => [...groups].sort((a, b) => b.rows / b.hosts - a.rows / a.hosts || b.rows - a.rows || a.name.localeCompare(b.name))

/** How one host has it, as others that have it alike. */
export interface Alike {
  readonly words: string
  readonly kind: 'added' | 'removed' | 'changed'
  readonly hosts: readonly string[]
}

function wordsOf(shape: TableShape, { expected }: DriftKey, { row, columns }: OtherRow, utc: boolean): string {
  if (row === null) return 'has none'
  if (expected === null) {
    const told = shape.columns.flatMap((column, at) => (at < shape.keys || row[at] == null ? [] : [`${column.name} ${saidValue(row[at], column, utc)}`]))
    return `ought not to be there${told.length > 0 ? `: ${told.join(', ')}` : ''}`
  }
  return differences(expected, row, shape, utc).filter(({ name }) => columns.includes(name)).map(({ name, before, after }) => `${name} ${before} -> ${after}`).join(', ')
}

/** Hosts that have it otherwise in the same way are one line, most hosts first. */
export function alike(shape: TableShape, key: DriftKey, utc: boolean): Alike[] {
  const found = new Map<string, { words: string; kind: Alike['kind']; hosts: string[] }>()
  for (const other of key.others) {
    const words = wordsOf(shape, key, other, utc)
    const one = found.get(words) ?? { words, kind: other.row === null ? 'removed' : key.expected === null ? 'added' : 'changed', hosts: [] }
    one.hosts.push(other.host)
    found.set(words, one)
  }
  return [...found.values()].sort((a, b) => b.hosts.length - a.hosts.length)
}
