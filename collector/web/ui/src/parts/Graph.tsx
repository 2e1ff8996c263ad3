// A plot with a table as its legend: what each series was at the cursor, its ends and its middle; one of them alone by a click.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { number } from '../time/format'
import type { Param } from '../url/query'
import { Plot, seriesColour, type PlotProps } from './Plot'
import { highest, stacked, stats } from './series'
import { VirtualTable, type Column } from './VirtualTable'
import '../style/query.css'

export interface GraphLine {
  readonly key: string
  readonly name: string
  readonly values: readonly (number | null)[]
}

export interface GraphProps extends Omit<PlotProps, 'series' | 'bare' | 'onCursor'> {
  readonly lines: readonly GraphLine[]
  /** The key of the one that is shown alone. */
  readonly only: Param
  readonly sort: Param
  readonly isStacked?: boolean
}

/** More lines than these are no picture. */
export const LINES_MAX = 100

export function Graph({ lines, only, sort, isStacked = false, ...plot }: GraphProps) {
  const cursor = useSignal<number | null>(null)
  const rows = useMemo(() => highest(lines, LINES_MAX).map((line, at) => ({ ...line, ...stats(line.values), colour: seriesColour(at) })), [lines])
  type Row = (typeof rows)[number]
  const alone = rows.filter((row) => row.key === only.value)
  const series = useMemo(() => {
    const shown = alone.length > 0 ? alone : rows
    const values = isStacked ? stacked(shown.map((row) => row.values)) : shown.map((row) => row.values)
    return shown.map((row, at) => ({ label: row.name, colour: row.colour, values: values[at] ?? [] }))
  }, [rows, isStacked, alone[0]])
  const format = plot.format ?? number
  const text = (value: number | null | undefined): string => (value == null ? '-' : format(value))
  const pick = (row: Row): void => only.push(only.peek() === row.key ? '' : row.key)
  const columns = useMemo((): Column<Row>[] => {
    const sized = (name: 'min' | 'max' | 'avg', from: number): Column<Row> => ({ name, title: name, width: '78px', right: true, from, by: (row) => row[name] ?? -Infinity, cell: (row) => text(row[name]) })
    return [
      {
        name: 'name',
        title: 'Series',
        width: 'minmax(90px, 1fr)',
        by: (row) => row.name,
        cell: (row) => (
          <button type="button" class="series" tabIndex={-1} aria-pressed={only.value === row.key} title={row.name} onClick={() => pick(row)}>
            <i style={{ background: `var(--${row.colour})` }} />
            <span class="cut mono small">{row.name}</span>
          </button>
        ),
      },
      { name: 'last', title: 'last', width: '78px', right: true, by: (row) => row.last ?? -Infinity, cell: (row) => <At row={row} /> },
      sized('min', 420),
      sized('max', 520),
      sized('avg', 620),
    ]
    function At({ row }: { readonly row: Row }) {
      const at = cursor.value
      return at === null ? <>{text(row.last)}</> : <strong>{text(row.values[at])}</strong>
    }
  }, [format, only.value])
  return (
    <div class="graph">
      <Plot {...plot} series={series} isStacked={isStacked} bare onCursor={(at) => (cursor.value = at)} />
      {lines.length > LINES_MAX && (
        <p class="small soft">
          The {LINES_MAX} with the highest last values of {lines.length.toLocaleString('en-GB')} series; `topk`, or a selector that says more, chooses others.
        </p>
      )}
      <VirtualTable label={`Series of ${plot.title}`} rows={rows} columns={columns} keyOf={(row) => row.key} rowHeight={26} most={250} sort={sort} onOpen={pick} />
    </div>
  )
}
