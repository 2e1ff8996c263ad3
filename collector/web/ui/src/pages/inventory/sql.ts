// Questions in SQL: examples, what could be written at the caret, and answers as tables. Pure.
import type { Cell, Cells, SqlAnswer, TableColumn, TableShape } from '../../api/inventory'
import { cellText, columnWidth, JUDGED } from '../../inventory/words'
import type { Offer } from '../../parts/complete'
import { shellWord, type Completion } from '../../parts/querytext'

export interface Example {
  readonly title: string
  readonly sql: string
}

export const EXAMPLES: readonly Example[] = [
  { title: 'OpenSSL older than 3.0.15', sql: "SELECT host, name, version FROM packages\nWHERE name IN ('openssl', 'libssl3', 'openssl-libs') AND version_compare(version, '3.0.15') < 0\nORDER BY host" },
  { title: 'Ports open on all addresses', sql: "SELECT host, protocol, address, port, process, unit FROM listening_ports\nWHERE address IN ('0.0.0.0', '::') ORDER BY port, host" },
  { title: 'Users with uid 0', sql: "SELECT host, name, home, shell FROM users WHERE uid = 0 ORDER BY name = 'root', host" },
  { title: 'Hosts without a unit', sql: "SELECT h.host, h.presence FROM hosts h\nWHERE NOT EXISTS (SELECT 1 FROM units u WHERE u.host = h.host AND u.name = 'chrony.service')\nORDER BY h.host" },
  { title: 'Kernels by number of hosts', sql: 'SELECT release, count(*) AS hosts FROM kernel GROUP BY release ORDER BY hosts DESC' },
  { title: 'Packages that few hosts have', sql: 'SELECT hosts, name, version FROM packages_counted ORDER BY hosts, name LIMIT 200' },
  { title: 'Certificates that end in 30 days', sql: 'SELECT host, path, subject, not_after FROM certificates\nWHERE not_after < unixepoch() + 30 * 86400 ORDER BY not_after' },
  { title: 'Which tables change most', sql: 'SELECT in_table, kind, count(*) AS changes, count(DISTINCT host) AS hosts FROM changes\nGROUP BY in_table, kind ORDER BY changes DESC' },
]

/** Tables of which each different row once, with the number of its hosts, is a table beside them. */
export const isCounted = ({ table, keys }: TableShape): boolean => keys > 0 && table !== 'hosts' && table !== 'changes'
export const countedOf = (table: string): string => `${table}_counted`

/** The columns of a table in SQL. */
export function columnsOf(shape: TableShape): readonly TableColumn[] {
  const isOwn = shape.columns.some(({ name }) => name === 'host')
  return isOwn ? shape.columns : [{ name: 'host', kind: 'text' }, ...shape.columns]
}

const WORDS = 'SELECT FROM WHERE AND OR NOT IN LIKE REGEXP IS NULL AS JOIN LEFT ON USING GROUP BY ORDER HAVING LIMIT DISTINCT EXISTS UNION ALL WITH CASE WHEN THEN ELSE END DESC'.split(' ')
const FUNCTIONS = ['version_compare(', 'count(', 'sum(', 'min(', 'max(', 'avg(', 'group_concat(', 'lower(', 'substr(', 'coalesce(', 'unixepoch(', 'datetime(']

/** Whether the caret stands in a string or a comment. */
function isQuoted(before: string): boolean {
  let quote = ''
  for (const sign of before) {
    if (quote === '') quote = sign === "'" || sign === '"' ? sign : ''
    else if (sign === quote) quote = ''
  }
  return quote !== '' || /--[^\n]*$/.test(before)
}

/** What could be written at the caret: after `p.` the columns of what `p` stands for; else tables, columns of those that are named, words and functions. */
export function completeSql(text: string, caret: number, shapes: readonly TableShape[]): Completion | null {
  const before = text.slice(0, caret)
  if (isQuoted(before)) return null
  const word = /\w*$/.exec(before)?.[0] ?? ''
  const from = caret - word.length
  const plain = (columns: readonly TableColumn[], note: string): Offer[] => columns.map(({ name }) => ({ text: name, note }))
  const columns = (name: string): Offer[] => {
    const shape = shapes.find(({ table }) => name === table || name === countedOf(table))
    if (!shape) return []
    return name === shape.table ? plain(columnsOf(shape), name) : plain([{ name: 'hosts', kind: 'integer' }, ...shape.columns], name)
  }
  const owner = /(\w+)\.$/.exec(text.slice(0, from))?.[1]
  const isNamed = (name: string): boolean => new RegExp(`\\b${name}\\b`, 'i').test(text)
  const all = shapes.flatMap((shape) => (isCounted(shape) ? [shape.table, countedOf(shape.table)] : [shape.table]))
  if (owner !== undefined) {
    const meant = new RegExp(`\\b(\\w+)\\s+(?:AS\\s+)?${owner}\\b`, 'i').exec(text)?.[1]?.toLowerCase() ?? ''
    const offers = all.includes(owner.toLowerCase()) ? columns(owner.toLowerCase()) : columns(meant)
    return offers.length > 0 ? { from, offers } : null
  }
  if (word === '') return null
  const seen = new Map<string, Offer>()
  for (const offer of all.filter(isNamed).flatMap(columns)) if (!seen.has(offer.text)) seen.set(offer.text, offer)
  return { from, offers: [...seen.values(), ...all.map((text) => ({ text, note: 'table' })), ...WORDS.map((text) => ({ text })), ...FUNCTIONS.map((text) => ({ text, note: 'function' }))] }
}

/** Names of columns that hold times in every table that has one of that name: an answer tells names alone. */
export function timeNames(shapes: readonly TableShape[]): ReadonlySet<string> {
  const kinds = new Map<string, boolean>()
  for (const { columns } of shapes) for (const { name, kind } of columns) kinds.set(name, (kinds.get(name) ?? true) && kind === 'time')
  return new Set([...kinds].filter(([, isTime]) => isTime).map(([name]) => name))
}

export interface ResultColumn {
  /** Names may come twice: the place is what is sorted by. */
  readonly place: string
  readonly title: string
  readonly isNumber: boolean
  /** Pixels. */
  readonly width: number
  readonly text: (value: Cell | undefined) => string
}

export function resultColumns({ columns, rows }: SqlAnswer, times: ReadonlySet<string>, utc: boolean): ResultColumn[] {
  return columns.map((title, at) => {
    const some = rows.slice(0, JUDGED).map((row) => row[at] ?? null).filter((value) => value !== null)
    const isNumber = some.length > 0 && some.every((value) => typeof value === 'number')
    const column: TableColumn = { name: title, kind: times.has(title) ? 'time' : isNumber ? 'integer' : 'text' }
    const text = (value: Cell | undefined): string => cellText(value, column, utc)
    return { place: String(at), title, isNumber: isNumber && column.kind !== 'time', width: columnWidth(title, some.map(text)), text }
  })
}

/** By what a cell is sorted: no value comes first. */
export const sortKey = (row: Cells, at: number): string | number => row[at] ?? ''

/** The question as a command. */
export function command(sql: string, at: number | null): string {
  const when = at === null ? '' : ` --at ${new Date(at).toISOString().replace('.000', '')}`
  return `muster inventory query${when} ${shellWord(sql)}`
}
