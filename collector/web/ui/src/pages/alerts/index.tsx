// Alerts: those that are pending, fire, or have ended lately; and one of them.
import { useMemo } from 'preact/hooks'
import type { Alert, Alerts as Answered } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Filter, Lack, Link, StateMark, VirtualTable, type Column } from '../../parts'
import { useHeading } from '../../shell/heading'
import { go } from '../../url/location'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import { HoldText } from '../problems/Holds'
import { number } from '../../time/format'
import { filterAlerts, labelNames, rowsOf, type Row } from './filter'
import './alerts.css'
import '../calendar/calendar.css'

const q = param('q')
const state = param('state')
const by = param('group')

const STATES = ['firing', 'pending', 'resolved'] as const

export default function List() {
  const asked = useAnswer<Answered>(() => [api('alerts'), { all: true }], { topic: ['alerts', 'silences', 'downtimes'], every: 60_000 })
  const all = useShown(asked).value?.alerts
  const states = state.value ? state.value.split(',') : []
  const names = useMemo(() => labelNames(all ?? []), [all])
  const rows = useMemo(() => rowsOf(filterAlerts(all ?? [], q.value, states), by.value), [all, q.value, state.value, by.value])
  const inState = (one: string): number => (all ?? []).filter((alert) => alert.state === one).length
  useHeading('Alerts', inState('firing'))
  return (
    <div class="page fill alerts">
      <Lack answer={asked.answer.value} what="alerts" onAgain={asked.again} />
      <div class="tools">
        <div class="grow">
          <Filter label="Filter" placeholder="Filter: disk severity=page" value={q.value} onInput={(text) => (q.value = text)} offers={(word) => offersOf(all ?? [], word)} />
        </div>
        <span class="chips" role="group" aria-label="States">
          {STATES.map((one) => (
            <button key={one} type="button" class="button small" aria-pressed={states.includes(one)} onClick={() => (state.value = STATES.filter((each) => states.includes(each) !== (each === one)).join(','))}>
              <StateMark state={one} /> {inState(one)}
            </button>
          ))}
        </span>
        <label class="row small">
          <span class="soft">Group by</span>
          <select value={by.value} onChange={(event) => (by.value = event.currentTarget.value)}>
            <option value="">nothing</option>
            {[...new Set([...(by.value ? [by.value] : []), ...names])].map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        </label>
      </div>
      {!all ? <div class="wait" /> : rows.length > 0 ? (
        <VirtualTable class="fills" label="Alerts" rows={rows} columns={COLUMNS} keyOf={(row) => row.key} rowHeight={46} onOpen={(row) => row.kind === 'alert' && go(to(['alerts', row.alert.id]))} />
      ) : (
        <div class="card fills empty">
          <h2>{all.length > 0 ? 'No alert fits the filter' : 'No alert is pending or fires'}</h2>
          <p>{all.length > 0 ? 'Take a word or a state away.' : 'What ends stays here for a while. Rules tells what is watched for.'}</p>
        </div>
      )}
    </div>
  )
}

function offersOf(alerts: readonly Alert[], word: string): { text: string }[] {
  const at = word.indexOf('=')
  if (at < 0) return labelNames(alerts).map((name) => ({ text: `${name}=` }))
  const values = new Set(alerts.map((alert) => alert.labels[word.slice(0, at)]).filter((value) => value && !/[\s"]/.test(value)))
  return [...values].map((value) => ({ text: `${word.slice(0, at)}=${value}` }))
}

function Told({ alert }: { readonly alert: Alert }) {
  const [hold] = alert.holds
  if (hold) return <span class="badge tone-busy" title={alert.holds.map((one) => one.why).join(', ')}><HoldText hold={hold} /></span>
  const told = alert.receivers.filter((one) => one.told_ms !== null)
  if (told.length > 0) return <>{[...new Set(told.map((one) => one.receiver))].join(', ')} <span class="soft small"><Age ms={Math.max(...told.map((one) => one.told_ms ?? 0))} after=" ago" /></span></>
  return <span class="soft">{alert.state === 'pending' ? 'not yet: it does not fire' : alert.receivers.length > 0 ? `${alert.receivers.map((one) => one.receiver).join(', ')} soon` : 'nobody'}</span>
}

const COLUMNS: readonly Column<Row>[] = [
  { name: 'state', title: 'State', width: '88px', cell: (row) => (row.kind === 'head' ? <b class="nowrap">{row.count}</b> : <StateMark state={row.alert.state} />) },
  {
    name: 'name', title: 'Alert', width: 'minmax(104px, 3fr)',
    cell: (row) => row.kind === 'head' ? <b>{row.name || 'without this label'}</b> : (
      <div class="entry-cell">
        <span class="cut"><Link to={to(['alerts', row.alert.id])}><b>{row.alert.labels['alertname']}</b></Link>{row.alert.labels['host'] && <span class="soft"> on {row.alert.labels['host']}</span>}</span>
        <span class="cut soft small">{row.alert.annotations['summary'] ?? row.alert.expression}</span>
      </div>
    ),
  },
  { name: 'severity', title: 'Severity', width: '84px', from: 720, cell: (row) => (row.kind === 'alert' ? row.alert.labels['severity'] ?? '' : null) },
  { name: 'told', title: 'Told', width: 'minmax(120px, 1fr)', from: 620, cell: (row) => (row.kind === 'alert' ? <Told alert={row.alert} /> : null) },
  { name: 'value', title: 'Value', width: '80px', from: 820, right: true, cell: (row) => (row.kind === 'alert' ? number(row.alert.value) : null) },
  { name: 'age', title: 'Since', width: '74px', right: true, cell: (row) => (row.kind === 'alert' ? <Age ms={row.alert.active_ms} /> : null) },
]
