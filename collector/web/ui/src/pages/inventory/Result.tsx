// An answer as a table, and the ways to take it along.
import { useMemo } from 'preact/hooks'
import type { Cells, SqlAnswer } from '../../api/inventory'
import { Copy, Moment, Notice, VirtualTable, type Column } from '../../parts'
import { count } from '../../time/format'
import { api, search } from '../../url/link'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { command, resultColumns, sortKey } from './sql'

const sort = param('sort')
/** Rows that are seen at once; the others are scrolled to. */
const MOST_PX = 640
/** Between columns. */
const GAP_PX = 12

interface Numbered {
  readonly at: number
  readonly cells: Cells
}

export interface ResultProps {
  readonly answer: SqlAnswer
  readonly sql: string
  readonly at: number | null
  readonly times: ReadonlySet<string>
}

export function Result({ answer, sql, at, times }: ResultProps) {
  const rows = useMemo(() => answer.rows.map((cells, at): Numbered => ({ at, cells })), [answer])
  const told = useMemo(() => resultColumns(answer, times, isUtc.value), [answer, times, isUtc.value])
  const columns = useMemo(
    () =>
      told.map((one, at): Column<Numbered> => ({
        name: one.place,
        title: <span title={one.title}>{one.title}</span>,
        width: `minmax(${one.width}px, 1fr)`,
        right: one.isNumber,
        by: (row) => sortKey(row.cells, at),
        cell: (row) => {
          const value = row.cells[at]
          return value === null || value === undefined ? <span class="soft">-</span> : <span title={String(value)}>{one.text(value)}</span>
        },
      })),
    [told],
  )
  const least = told.reduce((sum, { width }) => sum + width + GAP_PX, GAP_PX)
  return (
    <>
      <div class="row">
        <span class="small soft" role="status">
          {count(rows.length, 'row')}
          {answer.at_ms !== null && (
            <>
              {' as it was at '}
              <Moment ms={answer.at_ms} />
            </>
          )}
        </span>
        <span class="grow" />
        <Copy text={command(sql, at)} label="Copy as command" />
        <a class="button small" href={api('inventory', 'query') + search({ sql, at, format: 'csv' })} download="inventory.csv">
          CSV
        </a>
      </div>
      {answer.cut && (
        <Notice tone="warning" title="Not all:">
          these are the first {rows.length.toLocaleString('en-GB')} rows, and there are more. Ask for fewer by WHERE or GROUP BY.
        </Notice>
      )}
      {rows.length > 0 ? (
        <VirtualTable label="Answer" rows={rows} columns={columns} keyOf={(row) => String(row.at)} rowHeight={30} sort={sort} most={MOST_PX} least={least} />
      ) : (
        <div class="card empty">
          <h2>No row</h2>
          <p>Nothing fits the question{at === null ? '' : ' at that time'}. A host whose agent does not tell of a table has no rows in it.</p>
        </div>
      )}
    </>
  )
}
