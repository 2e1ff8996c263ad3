// Which processes used most of a host, now or at a moment: chosen on the plot of its CPU, by steps, or by the time above.
import { useMemo, useRef } from 'preact/hooks'
import type { Matrix } from '../../api/matrix'
import type { Host } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Lack, Moment, Notice, VirtualTable, type Column } from '../../parts'
import { Plot, type PlotMark } from '../../parts/Plot'
import { now, quarter } from '../../time/clock'
import { bytes, duration } from '../../time/format'
import { api } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { range, setSpan } from '../../url/range'
import { GROUPS, linesOf, question } from './plots'
import { calledOf, cpu, ioOf, isOld, momentOf, rate, spanOf, STEP_MS, stepped, totalsOf, turned, type Look, type Process } from './looks'
import { axis } from './time'
import './looks.css'

const at = param('at')
const sort = param('by', '-cpu')
/** As the URL has it; of a column that somebody turns to the most comes first. */
const order = {
  get value() {
    return sort.value
  },
  set value(next: string) {
    sort.value = turned(sort.peek(), next)
  },
}
const HEIGHT = 120
const EVERY_MS = 15_000
const CPU = GROUPS[0]?.plots[0]

const COLUMNS: readonly Column<Process>[] = [
  {
    name: 'name',
    title: 'Process',
    width: 'minmax(0, 3fr)',
    by: ({ name }) => name,
    cell: (row) => (
      <span class="top-name" title={[row.name, row.command].filter(Boolean).join(': ')}>
        <strong>{row.name}</strong>
        <span class="cut soft small">{calledOf(row)}</span>
      </span>
    ),
  },
  { name: 'pid', title: 'PID', width: '76px', right: true, from: 520, by: ({ pid }) => pid, cell: ({ pid }) => pid },
  { name: 'user', title: 'User', width: 'minmax(0, 110px)', from: 640, by: ({ user }) => user, cell: ({ user }) => user },
  { name: 'cpu', title: 'CPU', width: '70px', right: true, by: ({ cpu_percent }) => cpu_percent ?? -1, cell: ({ cpu_percent }) => cpu(cpu_percent) },
  { name: 'memory', title: 'Memory', width: '84px', right: true, by: ({ rss_bytes }) => rss_bytes, cell: ({ rss_bytes }) => bytes(rss_bytes) },
  { name: 'io', title: 'Disk', width: '92px', right: true, from: 420, by: (row) => ioOf(row) ?? -1, cell: (row) => <span title={`read ${rate(row.read_bytes_per_second)}, written ${rate(row.written_bytes_per_second)}`}>{rate(ioOf(row))}</span> },
  { name: 'threads', title: 'Threads', width: '76px', right: true, from: 760, by: ({ threads }) => threads, cell: ({ threads }) => threads },
  { name: 'state', title: 'State', width: '84px', from: 860, by: ({ state }) => state, cell: ({ state }) => STATES[state] ?? state },
  { name: 'started', title: 'Runs for', width: '96px', right: true, from: 700, by: ({ started_ms }) => -started_ms, cell: ({ started_ms }) => <Age ms={started_ms} /> },
]
const STATES: Readonly<Record<string, string>> = { R: 'runs', S: 'sleeps', D: 'disk', Z: 'zombie', T: 'stopped', t: 'traced', I: 'idle', X: 'dead' }

function choose(moment: number | null): void {
  setSearch({ at: moment === null ? null : String(Math.round(moment)) }, 'push')
}

export function Processes({ host, marks }: { readonly host: Host; readonly marks: readonly PlotMark[] }) {
  const moment = momentOf(at.value, range.value)
  const asked = useAnswer<Look>(
    () => {
      const moment = momentOf(at.value, range.value)
      return [api('hosts', host.name, 'processes'), moment === null ? {} : { at: moment }]
    },
    { every: EVERY_MS },
  )
  const look = useShown(asked).value
  return (
    <>
      <Chart host={host} marks={marks} moment={moment} look={look} />
      <Lack answer={asked.answer.value} what="its processes" onAgain={asked.again} />
      {look && look.state !== 'known' && (
        <div class="card empty">
          <h2>{look.state === 'off' ? 'Processes are not looked at here' : 'Nothing is known of its processes'}</h2>
          <p class="any-word">{look.note}</p>
        </div>
      )}
      {look?.state === 'known' && (
        <>
          <Head look={look} moment={moment} />
          {look.processes.length > 0 ? (
            <VirtualTable class="fills" label="Processes" rows={look.processes} columns={COLUMNS} keyOf={(row) => `${row.pid} ${row.started_ms}`} rowHeight={30} sort={order} />
          ) : (
            <p class="none soft">None of them used anything.</p>
          )}
          <p class="small soft">
            The first by CPU, by memory, and by what they read and write; one processor is 100 %. Looks are kept for {duration(look.kept_ms)}, one a minute.
            {look.processes.some((row) => ioOf(row) === null) && ' What other users\' processes read and write the agent may not see (-).'}
          </p>
        </>
      )}
      {look === undefined && asked.answer.value === null && <div class="wait" role="status" aria-label="Asking for processes" />}
    </>
  )
}

/** When it was looked, of how many, and the way to other moments. */
function Head({ look, moment }: { readonly look: Look; readonly moment: number | null }) {
  const go = (by: number): void => choose(stepped(moment, by, now()))
  return (
    <>
      <div class="top-head">
        <span class="row" role="group" aria-label="Moment">
          <Button small name="A minute earlier" onClick={() => go(-STEP_MS)}>
            Earlier
          </Button>
          <Button small name="A minute later" disabled={moment === null} onClick={() => go(STEP_MS)}>
            Later
          </Button>
          <Button small disabled={at.value === ''} onClick={() => choose(null)}>
            {range.value.kind === 'span' ? 'End of the span' : 'Newest'}
          </Button>
        </span>
        <span>
          Looked at <Moment ms={look.looked_at_ms} /> <span class="soft">({spanOf(look)}, <Age ms={look.looked_at_ms} after=" ago" />)</span>
        </span>
        <span class="soft small">{totalsOf(look)}</span>
      </div>
      {look.covers === false && (
        <Notice tone="warning" title="Of another moment:">
          nothing is known of <Moment ms={moment} />; this is the look that is nearest to it.
        </Notice>
      )}
      {moment === null && isOld(look, quarter.value) && (
        <Notice tone="warning" title="Old:">
          no look has come since; the agent looks every {duration(look.interval_ms ?? 0)}.
        </Notice>
      )}
    </>
  )
}

interface ChartProps {
  readonly host: Host
  readonly marks: readonly PlotMark[]
  readonly moment: number | null
  readonly look: Look | undefined
}

/** The host's CPU on the axis of its page: a click asks who used it then. */
function Chart({ host, marks, moment, look }: ChartProps) {
  const cursor = useRef<number | null>(null)
  const asked = useAnswer<Matrix>(() => {
    if (!CPU) return null
    const { from, to, step } = axis.value
    return ['/api/v1/query_range', { query: question(CPU, host.name, axis.value), start: from / 1000, end: to / 1000, step: step / 1000 }]
  })
  const known = useShown(asked).value
  const lines = useMemo(() => (known && CPU ? linesOf(CPU, known, axis.peek()) : null), [known])
  const looked = look?.looked_at_ms
  const all = useMemo(() => (looked === undefined ? marks : [...marks, { at: looked, text: 'the look below', colour: '--accent' }]), [marks, looked])
  if (!CPU || !lines || lines.series.length === 0) return null
  const pick = (): void => {
    const time = cursor.current === null ? undefined : lines.times[cursor.current]
    if (time !== undefined) choose(time * 1000)
  }
  return (
    <div class="card plot-box top-plot" title={moment === null ? 'Click a moment to see who used it' : undefined} onClick={pick}>
      <Plot title={CPU.title} times={lines.times} series={lines.series} from={axis.value.from} to={axis.value.to} format={CPU.format} sync="host" marks={all} height={HEIGHT} low={0} onSpan={setSpan} onCursor={(at) => { if (at !== null) cursor.current = at }} />
    </div>
  )
}
