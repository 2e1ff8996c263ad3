// Hosts as a table of thousands of rows, with heads of groups.
import { useSignal, type Signal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { Icon, VirtualRows } from '../../parts'
import { uniform } from '../../parts/virtual'
import { count } from '../../time/format'
import type { Param } from '../../url/query'
import { Cells, columnsFor, Overall, type Around } from './cells'
import { counts, wordOf, type Line, type Row } from './rows'

export interface ListProps {
  readonly lines: readonly Line[]
  readonly around: Around
  readonly sort: Param
  readonly label: string
  readonly active: Signal<number>
  readonly onOpen: (row: Row) => void
  readonly onTurn: (key: string) => void
  readonly onSight: (rows: readonly Row[]) => void
}

const HEIGHT = 34

function Group({ line, label, onTurn }: { readonly line: Line & { kind: 'group' }; readonly label: string; readonly onTurn: () => void }) {
  return (
    <span role="gridcell">
      <button type="button" class="fleet-fold" aria-expanded={!line.isFolded} onClick={onTurn}>
        <Icon sign={line.isFolded ? 'right' : 'down'} size={13} />
        <strong class="cut">{line.key || `without ${label}`}</strong>
        <span class="soft nowrap">{count(line.rows.length, 'host')}</span>
        <span class="counts">
          {counts(line.rows).map(([state, n]) => (
            <span key={state} class="count" title={wordOf(state)}>
              <Overall state={state} short />
              {n}
            </span>
          ))}
        </span>
      </button>
    </span>
  )
}

export function List({ lines, around, sort, label, active, onOpen, onTurn, onSight }: ListProps) {
  const width = useSignal(1200)
  const heights = useMemo(() => uniform(lines.length, HEIGHT), [lines])
  const columns = useMemo(() => columnsFor(width.value), [width.value])
  const template = { gridTemplateColumns: columns.map((column) => column.width).join(' ') }
  const by = sort.value
  const head = (
    <div class="cells" role="presentation" style={template}>
      {columns.map(({ name, title, right }) => {
        const order = by.replace(/^-/, '') !== name ? 'none' : by.startsWith('-') ? 'descending' : 'ascending'
        return (
          <span key={name} role="columnheader" class={right ? 'right' : undefined} aria-sort={order}>
            <button type="button" class="sort" aria-label={title ? undefined : 'State'} onClick={() => (sort.value = order === 'ascending' ? `-${name}` : order === 'descending' || name === 'name' ? name : `-${name}`)}>
              {title}
              {order !== 'none' && <Icon sign={order === 'ascending' ? 'up' : 'down'} size={11} />}
            </button>
          </span>
        )
      })}
    </div>
  )
  return (
    <VirtualRows
      label="Hosts"
      class="fills fleet-rows"
      heights={heights}
      columns={columns.length}
      head={head}
      headHeight={35}
      active={active}
      isReused
      keyOf={(at) => {
        const line = lines[at]
        return line === undefined ? String(at) : line.kind === 'group' ? `group ${line.key}` : line.row.id
      }}
      onOpen={(at) => {
        const line = lines[at]
        if (line?.kind === 'group') onTurn(line.key)
        else if (line) onOpen(line.row)
      }}
      onWidth={(now) => (width.value = now)}
      onSight={(first, end) => onSight(lines.slice(first, end).flatMap((line) => (line.kind === 'host' ? [line.row] : [])))}
      row={(at) => {
        const line = lines[at]
        if (line === undefined) return null
        if (line.kind === 'group') {
          return (
            <div class="cells fleet-group" role="presentation">
              <Group line={line} label={label} onTurn={() => onTurn(line.key)} />
            </div>
          )
        }
        return <Cells row={line.row} around={around} columns={columns} />
      }}
    />
  )
}
