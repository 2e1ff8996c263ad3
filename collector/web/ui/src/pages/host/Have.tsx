// Rows of one table of a host, and rows that differ between two sides.
import { useMemo } from 'preact/hooks'
import type { Compared, TableRows } from '../../api/inventory'
import { betweenOf, cellText, columnWidth, JUDGED, lookOfKind } from '../../inventory/words'
import { Age, Moment, ShapeIcon, VirtualTable, type Column } from '../../parts'
import { count } from '../../time/format'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { differingRows, fittingRows, haveRows, type DifferingRow, type HaveRow } from './had'

const q = param('q')
const sort = param('sort')
/** Between columns, and the column of times since when. */
const [GAP_PX, SINCE_PX] = [12, 124]
/** The three columns of what differs. */
const DIFFERING_PX = 560

export function HaveTable({ answer }: { readonly answer: TableRows }) {
  const utc = isUtc.value
  const rows = useMemo(() => haveRows(answer), [answer])
  const shown = useMemo(() => fittingRows(rows, answer.columns, q.value, utc), [rows, q.value, utc])
  const widths = useMemo(() => answer.columns.map((column, at) => columnWidth(column.name, answer.rows.slice(0, JUDGED).map((row) => cellText(row[at], column, utc)))), [answer, utc])
  const columns = useMemo(() => columnsOf(answer, widths, utc), [answer, widths, utc])
  return (
    <>
      <p class="small soft" role="status">
        {shown.length === rows.length ? count(rows.length, 'row') : `${shown.length.toLocaleString('en-GB')} of ${count(rows.length, 'row')}`}
        {answer.at_ms !== null && (
          <>
            {' as it was at '}
            <Moment ms={answer.at_ms} />
          </>
        )}
      </p>
      {shown.length > 0 ? (
        <VirtualTable class="fills" label={`Rows of ${answer.table}`} rows={shown} columns={columns} keyOf={(row) => row.key} rowHeight={30} sort={sort} least={widths.reduce((sum, width) => sum + width + GAP_PX, SINCE_PX + 2 * GAP_PX)} />
      ) : (
        <div class="card empty">
          <h2>{rows.length > 0 ? 'No row fits the filter' : 'There is none'}</h2>
          <p>{rows.length > 0 ? `None of ${count(rows.length, 'row')} of ${answer.table} has these words.` : `It was looked at, and there is no ${answer.one}.`}</p>
        </div>
      )}
    </>
  )
}

function columnsOf(answer: TableRows, widths: readonly number[], utc: boolean): Column<HaveRow>[] {
  // By its name a row is found; where the key has none, by the first of it.
  const named = Math.max(0, answer.columns.slice(0, answer.keys).findIndex(({ name }) => name === 'name'))
  const all = answer.columns.map((column, at): Column<HaveRow> => ({
    name: column.name,
    title: column.name,
    width: `minmax(${widths[at] ?? SINCE_PX}px, 1fr)`,
    right: column.kind === 'integer',
    by: ({ cells }) => cells[at] ?? '',
    cell: ({ cells }) => {
      const text = cellText(cells[at], column, utc)
      return text === '' ? <span class="soft">-</span> : at === named ? <strong title={text}>{text}</strong> : <span title={text}>{text}</span>
    },
  }))
  if (answer.since === undefined) return all
  const since: Column<HaveRow> = {
    name: 'since',
    title: 'As it is for',
    width: `minmax(${SINCE_PX}px, max-content)`,
    by: (row) => row.since?.until_ms ?? 0,
    cell: (row) =>
      row.since ? (
        <span class="small soft" title={betweenOf(row.since.after_ms, row.since.until_ms, utc)}>
          {row.since.after_ms === null && 'at least '}
          <Age ms={row.since.until_ms} />
        </span>
      ) : (
        <span class="soft">-</span>
      ),
  }
  return [...all, since]
}

/** Which two are compared. */
export function Sides({ compared }: { readonly compared: Compared }) {
  return (
    <span class="any-word">
      {[compared.one, compared.other].map((side, place) => (
        <span key={place}>
          {place > 0 && ' against '}
          {side.host} {side.at_ms === null ? 'now' : <Moment ms={side.at_ms} />}
        </span>
      ))}
    </span>
  )
}

export function DifferingTable({ compared, name }: { readonly compared: Compared; readonly name: string }) {
  const table = compared.tables.find(({ table }) => table === name)
  const rows = useMemo(() => (table ? differingRows(table, q.value, isUtc.value) : []), [table, q.value, isUtc.value])
  const isOneHost = compared.one.host === compared.other.host
  const words = { removed: isOneHost ? 'Only in the first' : `Only ${compared.one.host}`, added: isOneHost ? 'Only in the second' : `Only ${compared.other.host}`, changed: 'Differs' }
  const columns: readonly Column<DifferingRow>[] = [
    { name: 'kind', title: 'Where', width: 'minmax(96px, 150px)', by: ({ kind }) => kind, cell: ({ kind }) => <Where kind={kind} word={words[kind]} /> },
    { name: 'thing', title: table?.one ?? '', width: 'minmax(90px, 1fr)', by: ({ thing }) => thing, cell: ({ thing }) => <strong title={thing}>{thing}</strong> },
    { name: 'what', title: 'What', width: 'minmax(110px, 2fr)', cell: ({ what }) => <span title={what}>{what}</span> },
  ]
  if (!table) return <div class="wait" role="status" aria-label="Asking for the comparison" />
  return (
    <>
      <p class="small soft" role="status">
        {count(rows.length, 'row')} {rows.length === 1 ? 'differs' : 'differ'}: <Sides compared={compared} />
      </p>
      {rows.length > 0 ? (
        <VirtualTable class="fills" label={`Rows of ${table.table} that differ`} rows={rows} columns={columns} keyOf={(row) => row.key} rowHeight={30} sort={sort} least={DIFFERING_PX} />
      ) : (
        <div class="card empty">
          <h2>{!table.known ? 'It is not known on both sides' : q.value ? 'No row fits the filter' : 'They are the same'}</h2>
          <p>{table.known ? `No other row of ${table.table} differs.` : `What one of them had in ${table.table} then was not told.`}</p>
        </div>
      )}
    </>
  )
}

function Where({ kind, word }: { readonly kind: string; readonly word: string }) {
  const look = lookOfKind(kind)
  return (
    <span class={`mark tone-${look.tone}`} title={word}>
      <ShapeIcon shape={look.shape} />
      <span class="cut">{word}</span>
    </span>
  )
}
