// The columns of the fleet.
import { Component, type ComponentChildren } from 'preact'
import { Age, Labels, Link, Spark, StateMark, Strip } from '../../parts'
import { lookOf } from '../../parts/states'
import { age, duration, percent } from '../../time/format'
import { to } from '../../url/link'
import { wordOf, type Row } from './rows'
import type { Lines } from './useSparks'

/** What cells need beside their row. */
export interface Around {
  readonly cpu: Lines
  readonly memory: Lines
  readonly newest: string
  /** When the rows were answered, in ms. */
  readonly at: number
  readonly stripTime: string
  readonly onPick: (name: string, value: string) => void
}

export interface FleetColumn {
  readonly name: string
  readonly title: string
  readonly width: string
  /** Left out where the table is narrower, in pixels. */
  readonly from?: number
  readonly right?: boolean
  readonly cell: (row: Row, around: Around) => ComponentChildren
}

/** Who waits may have the name of another host. */
export function hostPath(row: Row): string {
  return to(['hosts', row.state === 'active' ? row.name : row.id])
}

/** Data that is further behind is marked: two samples of a slow agent are missing then. */
const LAG_SAID_MS = 120_000

export function Overall({ state, short = false }: { readonly state: string; readonly short?: boolean }) {
  if (wordOf(state) === lookOf(state).word) return <StateMark state={state} short={short} />
  return (
    <span class="mark tone-off" title={short ? wordOf(state) : undefined}>
      <StateMark state="agent_stopped" short />
      <span class={short ? 'unseen' : undefined}>{wordOf(state)}</span>
    </span>
  )
}

function Checks({ row }: { readonly row: Row }) {
  const { worst, ok, warning, critical, unknown } = row.checks
  if (worst === null) return <span class="soft">none</span>
  const bad: [string, number][] = [['CRITICAL', critical], ['WARNING', warning], ['UNKNOWN', unknown]]
  return (
    <span class="counts" title={`${critical} critical, ${warning} warning, ${unknown} unknown, ${ok} OK`}>
      {bad.map(([state, n]) => n > 0 && (
        <span key={state} class="count">
          <StateMark state={state} short size={13} />
          {n}
        </span>
      ))}
      {worst === 'OK' ? (
        <span class="count">
          <StateMark state="OK" short size={13} />
          {ok}
        </span>
      ) : (
        <span class="soft small">of {ok + warning + critical + unknown}</span>
      )}
    </span>
  )
}

function Seen({ row, at }: { readonly row: Row; readonly at: number }) {
  if (row.last_arrival_ms === null) return <span class="soft">never</span>
  // Of a host that reports all the time nobody tells each arrival: what was so when the list was answered stays so.
  if (row.presence === 'up') return <span class="soft">{age(Math.min(at, row.last_arrival_ms), at)}</span>
  return <Age ms={row.last_arrival_ms} />
}

/** Drawn anew by itself when its line comes. */
function Share({ what, host, lines }: { readonly what: string; readonly host: string; readonly lines: Lines }) {
  const values = lines.value.get(host)
  const last = values?.filter((value) => value !== null).at(-1)
  return (
    <span class="share">
      {values && <Spark values={values} label={`${what} of ${host}`} low={0} high={1} format={percent} height={20} />}
      <span class="small soft right">{last == null ? '' : `${Math.round(last * 100)} %`}</span>
    </span>
  )
}

function Lag({ row }: { readonly row: Row }) {
  if (row.lag_ms === null) return <span class="soft">-</span>
  const text = duration(Math.max(0, row.lag_ms))
  return row.lag_ms > LAG_SAID_MS ? <span class="badge tone-warning">{text}</span> : <span class="soft">{text}</span>
}

export const COLUMNS: readonly FleetColumn[] = [
  { name: 'state', title: 'State', width: '104px', from: 700, cell: (row) => <Overall state={row.overall} /> },
  { name: 'state', title: '', width: '16px', cell: (row) => <Overall state={row.overall} short /> },
  {
    name: 'name',
    title: 'Host',
    width: 'minmax(108px, 1.3fr)',
    cell: (row) => (
      <Link to={hostPath(row)} class="plain host-name">
        {row.name}
      </Link>
    ),
  },
  { name: 'strip', title: '24 h', width: 'minmax(72px, 118px)', cell: (row, { stripTime }) => <Strip states={row.strip} time={stripTime} height={18} /> },
  {
    name: 'cpu',
    title: 'CPU',
    width: '88px',
    from: 560,
    cell: (row, { cpu }) => <Share what="CPU" host={row.name} lines={cpu} />,
  },
  {
    name: 'memory',
    title: 'Memory',
    width: '88px',
    from: 790,
    cell: (row, { memory }) => <Share what="Memory" host={row.name} lines={memory} />,
  },
  { name: 'labels', title: 'Labels', width: 'minmax(100px, 2.4fr)', from: 980, cell: (row, { onPick }) => <Labels labels={row.labels} onPick={onPick} /> },
  { name: 'checks', title: 'Checks', width: '84px', from: 640, cell: (row) => <Checks row={row} /> },
  {
    name: 'version',
    title: 'Agent',
    width: '72px',
    from: 880,
    cell: (row, { newest }) =>
      row.agent_version && row.agent_version !== newest ? (
        <span class="badge tone-warning" title={`older than ${newest}, the newest of all hosts`}>
          {row.agent_version} old
        </span>
      ) : (
        <span class="soft">{row.agent_version || '-'}</span>
      ),
  },
  { name: 'seen', title: 'Seen', width: '58px', right: true, cell: (row, { at }) => <Seen row={row} at={at} /> },
  { name: 'lag', title: 'Behind', width: '62px', from: 700, right: true, cell: (row) => <Lag row={row} /> },
]

/** The columns that a table of this width has: of two of one name the first that fits. */
export function columnsFor(width: number): FleetColumn[] {
  const seen = new Set<string>()
  return COLUMNS.filter(({ name, from = 0 }) => from <= width && !seen.has(name) && seen.add(name))
}

interface CellsProps {
  readonly row: Row
  readonly around: Around
  readonly columns: readonly FleetColumn[]
}

/** A row's cells; while one scrolls, those that stay in sight are not made again. */
export class Cells extends Component<CellsProps> {
  override shouldComponentUpdate(next: CellsProps): boolean {
    const { row, around, columns } = this.props
    return next.row !== row || next.around !== around || next.columns !== columns
  }

  override render({ row, around, columns }: CellsProps) {
    return (
      <div class="cells" role="presentation" style={{ gridTemplateColumns: columns.map((column) => column.width).join(' ') }}>
        {columns.map((column) => (
          <span key={column.name} role="gridcell" class={column.right ? 'right cut' : 'cut'}>
            {column.cell(row, around)}
          </span>
        ))}
      </div>
    )
  }
}
