// Host: metrics, checks, logs, events and facts of one host on one time axis.
import { useComputed, useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { ask } from '../../api/ask'
import { quoted } from '../../api/matrix'
import type { ItemList } from '../../api/discovery'
import type { Checks as CheckRows, Host as HostRow, Problems } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Before } from '../../inventory/Before'
import { logSpan } from '../../lines/span'
import type { PageProps } from '../page'
import { Button, Lack, Link, Tabs } from '../../parts'
import { useHeading } from '../../shell/heading'
import { quarter } from '../../time/clock'
import { duration, shortTime } from '../../time/format'
import { api, to } from '../../url/link'
import { back } from '../../url/location'
import { param } from '../../url/query'
import { isUtc, range, setRange, span } from '../../url/range'
import { ActionDialog } from '../problems/Actions'
import type { Action } from '../problems/act'
import { problemsOf, type Problem } from '../problems/problem'
import { Checks } from './Checks'
import { awayOf, happened, lostOf, marksOf, type Streams } from './happened'
import { Events, Kind, Time } from './Events'
import { Facts } from './Facts'
import { Header } from './Header'
import { Inventory, LastChanges, tableParam } from './Inventory'
import { Logs, LogsBelow } from './Logs'
import { Metrics } from './Metrics'
import { Processes } from './Processes'
import { SetUp } from './SetUp'
import { moveTo } from './moved'
import { zoomOut } from './time'
import './host.css'

const tab = param('tab', 'metrics')
const EVENTS_MAX = 1000
/** More things than a host has. */
const GONE_MAX = 1000
/** Events under the plots; all of them have their own tab. */
const EVENTS_BELOW = 12
const PRESENCE = 'host_silent|host_returned|agent_stopped|agent_restarted|host_rebooting|host_booted|host_enrolled'
const PRESENCE_MS = 30 * 86_400_000

export default function Host({ parts }: PageProps) {
  const path = parts['host'] ?? ''
  const asked = useAnswer<{ host: HostRow }>(() => [api('hosts', path)], { topic: 'hosts', every: 60_000 })
  const host = useShown(asked).value?.host
  useHeading(host?.name ?? path)
  const answer = asked.answer.value
  useEffect(() => {
    // Somebody has renamed it: its id is as before.
    if (!host || answer?.kind !== 'refused' || answer.status !== 404) return
    void ask<{ host: HostRow }>(api('hosts', host.id)).then((now) => {
      if (now.kind === 'data' && now.data.host.name !== path) moveTo(now.data.host.name)
    })
  }, [answer])
  return (
    <div class={`page host${['logs', 'events', 'processes'].includes(tab.value) || (tab.value === 'inventory' && tableParam.value) ? ' fill' : ''}`}>
      <Lack answer={answer} what={`the host ${path}`} onAgain={asked.again} />
      {host ? (
        host.state === 'pending' ? (
          <>
            <Header host={host} since={null} problems={null} onAction={() => undefined} onDone={asked.again} />
            <Facts host={host} checks={null} />
          </>
        ) : (
          <Known key={host.id} host={host} onDone={asked.again} />
        )
      ) : answer === null ? (
        <div class="wait" role="status" aria-label="Asking for the host" />
      ) : (
        <p>
          <Link to={to(['fleet'])}>All hosts</Link>
        </p>
      )}
    </div>
  )
}

function useKnown(host: HostRow) {
  const checks = useAnswer<CheckRows>(() => [api('checks'), { host: host.id }], { topic: 'checks', every: 60_000 })
  const problems = useAnswer<Problems>(() => [api('problems'), { soft: true, host: host.name }], { topic: ['alerts', 'checks', 'silences', 'downtimes'], every: 60_000 })
  const events = useAnswer<Streams>(
    () => ['/loki/api/v1/query_range', { query: `{source="muster",host=${quoted(host.name)}}`, start: `${logSpan.value.from}000000`, end: `${logSpan.value.to}000000`, limit: EVENTS_MAX }],
    { topic: 'events' },
  )
  // The host's own answer does not tell since when it is there or away; its last change does.
  const presence = useAnswer<Streams>(() => {
    const end = Math.ceil((quarter.peek() + 60_000) / 60_000) * 60_000
    return ['/loki/api/v1/query_range', { query: `{source="muster",host=${quoted(host.name)}} | kind=~"${PRESENCE}"`, start: `${end - PRESENCE_MS}000000`, end: `${end}000000`, limit: 1 }]
  }, { topic: 'hosts' })
  // What somebody watches and went is said wherever the host is looked at.
  const gone = useAnswer<ItemList>(() => [api('discovery'), { host: host.id, state: 'gone', limit: GONE_MAX }], { topic: 'discovery', every: 60_000 })
  return { checks, problems, events, presence, gone }
}

function Known({ host, onDone }: { readonly host: HostRow; readonly onDone: () => void }) {
  const { checks, problems, events, presence, ...found } = useKnown(host)
  // What is looked up in the history of the fleet waits until the plots are there.
  const isShown = useSignal(false)
  const acting = useSignal<{ action: Action; problems: readonly Problem[] } | null>(null)
  const [knownChecks, knownProblems, knownEvents] = [useShown(checks).value, useShown(problems).value, useShown(events).value]
  const gone = useShown(found.gone).value?.items.length ?? 0
  const all = useMemo(() => problemsOf(knownProblems?.problems ?? []), [knownProblems])
  const own = useMemo(() => all.filter((problem) => problem.hostId === host.id || problem.host === host.name), [all, host.id, host.name])
  // In the order of all problems: what nobody takes care of first, then the worst. Only what was told of has an alert.
  const worst = own.find((problem) => problem.soft === '')
  const list = useMemo(() => happened(knownEvents), [knownEvents])
  const time = useComputed(() => span(range.value, quarter.value))
  const marks = useMemo(() => marksOf(list, time.peek()), [list])
  const gaps = useMemo(() => [...awayOf(list, time.peek()), ...lostOf(list, time.peek())], [list])
  const since = happened(useShown(presence).value)[0]?.ms ?? null
  const act = (action: Action, problems: readonly Problem[]): void => void (acting.value = { action, problems })
  const bad = (knownChecks?.checks ?? []).filter(({ state }) => state !== 'OK').length
  return (
    <>
      <Header host={host} since={since} problems={knownProblems ? own : null} onAction={act} onDone={onDone} />
      <Lack answer={problems.answer.value} what="its problems" onAgain={problems.again} />
      <Lack answer={events.answer.value} what="its events" onAgain={events.again} />
      <div class="host-bar">
        <Tabs
          label="Views of the host"
          tab={tab}
          tabs={[
            ['metrics', 'Metrics'],
            ['processes', 'Processes'],
            ['checks', knownChecks ? `Checks ${bad > 0 ? `${bad}/` : ''}${knownChecks.checks.length}` : 'Checks'],
            ['logs', 'Logs'],
            ['events', `Events${list.length > 0 ? ` ${list.length}` : ''}`],
            ['inventory', 'Inventory'],
            ['setup', gone > 0 ? `Set-up, ${gone} gone` : 'Set-up'],
            ['facts', 'Facts'],
          ]}
        />
        {!['facts', 'inventory', 'setup'].includes(tab.value) && <Zoom />}
      </div>
      {tab.value === 'processes' ? (
        <Processes host={host} marks={marks} />
      ) : tab.value === 'checks' ? (
        <>
          <Lack answer={checks.answer.value} what="its checks" onAgain={checks.again} />
          {knownChecks ? <Checks host={host.name} checks={knownChecks.checks} problems={own} events={list} onAction={act} /> : <div class="wait" role="status" aria-label="Asking for checks" />}
        </>
      ) : tab.value === 'logs' ? (
        <Logs host={host.name} />
      ) : tab.value === 'events' ? (
        <Events events={list} isMore={list.length >= EVENTS_MAX} />
      ) : tab.value === 'inventory' ? (
        <Inventory host={host.name} />
      ) : tab.value === 'setup' ? (
        <SetUp host={host.name} />
      ) : tab.value === 'facts' ? (
        <Facts host={host} checks={knownChecks?.checks ?? null} />
      ) : (
        <>
          {worst && isShown.value && <Before key={worst.id} alert={worst.id} title={`What changed before ${worst.name}`} />}
          <Metrics host={host.name} facts={host.facts} marks={marks} gaps={gaps} onShown={() => (isShown.value = true)} />
          <Below events={list} />
          <LastChanges host={host.name} />
          <LogsBelow host={host.name} />
        </>
      )}
      {acting.value && <ActionDialog {...acting.value} all={all} onClose={() => (acting.value = null)} onDone={() => { checks.again(); problems.again() }} />}
    </>
  )
}

/** The span that plots, lines and events are of, and ways out of it. */
function Zoom() {
  const { from, to: end } = span(range.value, quarter.value)
  const isSpan = range.value.kind === 'span'
  return (
    <div class="row host-zoom" role="group" aria-label="Time span">
      <span class="small soft nowrap">
        {shortTime(from, quarter.value, isUtc.value)} - {isSpan ? shortTime(end, quarter.value, isUtc.value) : 'now'} ({duration(end - from)})
      </span>
      <Button small onClick={zoomOut}>
        Zoom out
      </Button>
      {isSpan && (
        <>
          <Button small onClick={back}>
            Back
          </Button>
          <Button small onClick={() => setRange({ kind: 'last', text: '1h', ms: 3_600_000 })}>
            Last hour
          </Button>
        </>
      )}
    </div>
  )
}

/** The newest events of the span, where the plots that they explain are. */
function Below({ events }: { readonly events: ReturnType<typeof happened> }) {
  if (events.length === 0) return null
  return (
    <section class="card host-below" aria-label="Events in this time">
      <h2>
        Events in this time <span class="soft small">{events.length > EVENTS_BELOW ? `the newest ${EVENTS_BELOW} of ${events.length}` : events.length}</span>
      </h2>
      <ul>
        {events.slice(0, EVENTS_BELOW).map((event) => (
          <li key={event.id}>
            <Time ms={event.ms} />
            <Kind event={event} />
            <span class="cut" title={event.text}>{event.text}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
