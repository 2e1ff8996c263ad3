// A table of thousands of rows: columns, sorting, choosing.
import { useSignal, type Signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'
import { Icon } from './Icon'
import { VirtualRows } from './VirtualRows'
import { uniform } from './virtual'

export interface Column<T> {
  readonly name: string
  readonly title: ComponentChildren
  /** Of `grid-template-columns`: `120px`, `minmax(0, 2fr)`. */
  readonly width: string
  readonly cell: (row: T) => ComponentChildren
  /** By what rows are sorted; absent: they cannot be. */
  readonly by?: (row: T) => string | number
  /** Left out where the table is narrower than this, in pixels. */
  readonly from?: number
  readonly right?: boolean
}

export interface VirtualTableProps<T> {
  readonly label: string
  readonly rows: readonly T[]
  readonly columns: readonly Column<T>[]
  readonly keyOf: (row: T) => string
  readonly rowHeight?: number
  /** `name` or `-name`: usually a `param`. */
  readonly sort?: { value: string }
  readonly onOpen?: (row: T) => void
  readonly chosen?: Signal<ReadonlySet<string>>
  readonly active?: Signal<number>
  readonly class?: string
  readonly most?: number
  /** Rows are at least so wide, in pixels, and scrolled sideways where there is less. */
  readonly least?: number
}

/** Rows by a column; the same order for equal ones. */
export function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], sort: string): readonly T[] {
  const isDown = sort.startsWith('-')
  const by = columns.find((column) => column.name === sort.replace(/^-/, ''))?.by
  if (!by) return rows
  const keyed = rows.map((row, at) => [by(row), at, row] as const)
  const compare = (a: string | number, b: string | number): number =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true })
  keyed.sort((a, b) => (isDown ? -1 : 1) * compare(a[0], b[0]) || a[1] - b[1])
  return keyed.map(([, , row]) => row)
}

export function toggled(set: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(set)
  if (!next.delete(key)) next.add(key)
  return next
}

export function VirtualTable<T>(props: VirtualTableProps<T>) {
  const { label, keyOf, chosen, rowHeight = 38 } = props
  const width = useSignal(1200)
  const sort = props.sort?.value ?? ''
  const rows = useMemo(() => sorted(props.rows, props.columns, sort), [props.rows, props.columns, sort])
  const columns = props.columns.filter((column) => (column.from ?? 0) <= width.value)
  const template = { gridTemplateColumns: [...(chosen ? ['18px'] : []), ...columns.map((column) => column.width)].join(' ') }
  const heights = useMemo(() => uniform(rows.length, rowHeight), [rows.length, rowHeight])
  const all = chosen !== undefined && rows.length > 0 && rows.every((row) => chosen.value.has(keyOf(row)))
  const head = (
    <div class="cells" role="presentation" style={template}>
      {chosen && (
        <span role="columnheader">
          <input type="checkbox" aria-label="Choose all" checked={all} onChange={() => (chosen.value = new Set(all ? [] : rows.map(keyOf)))} />
        </span>
      )}
      {columns.map((column) => {
        const isBy = sort.replace(/^-/, '') === column.name
        const order = !isBy ? 'none' : sort.startsWith('-') ? 'descending' : 'ascending'
        return (
          <span key={column.name} role="columnheader" class={column.right ? 'right' : undefined} aria-sort={column.by ? order : undefined}>
            {column.by && props.sort ? (
              <button type="button" class="sort" onClick={() => props.sort && (props.sort.value = order === 'ascending' ? `-${column.name}` : column.name)}>
                {column.title}
                {isBy && <Icon sign={order === 'ascending' ? 'up' : 'down'} size={11} />}
              </button>
            ) : (
              column.title
            )}
          </span>
        )
      })}
    </div>
  )
  const keyAt = (at: number): string => {
    const row = rows[at]
    return row === undefined ? String(at) : keyOf(row)
  }
  return (
    <VirtualRows
      label={label}
      heights={heights}
      keyOf={keyAt}
      columns={columns.length + (chosen ? 1 : 0)}
      head={head}
      headHeight={35}
      {...(props.active ? { active: props.active } : {})}
      {...(props.class === undefined ? {} : { class: props.class })}
      {...(props.most === undefined ? {} : { most: props.most })}
      {...(props.least === undefined ? {} : { least: props.least })}
      {...(chosen ? { isChosen: (at: number) => chosen.value.has(keyAt(at)), onChoose: (at: number) => (chosen.value = toggled(chosen.value, keyAt(at))) } : {})}
      {...(props.onOpen ? { onOpen: (at: number) => { const row = rows[at]; if (row !== undefined) props.onOpen?.(row) } } : {})}
      onWidth={(now) => (width.value = now)}
      row={(at) => {
        const row = rows[at]
        if (row === undefined) return null
        return (
          <div class="cells" role="presentation" style={template}>
            {chosen && (
              <span role="gridcell">
                <input type="checkbox" tabIndex={-1} aria-label={`Choose ${keyOf(row)}`} checked={chosen.value.has(keyOf(row))} onChange={() => (chosen.value = toggled(chosen.value, keyOf(row)))} />
              </span>
            )}
            {columns.map((column) => (
              <span key={column.name} role="gridcell" class={column.right ? 'right cut' : 'cut'}>
                {column.cell(row)}
              </span>
            ))}
          </div>
        )
      }}
    />
  )
}
