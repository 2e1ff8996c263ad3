// All that is known of the host itself: the machine, its agent, who it is, and what it has to look at.
import type { ComponentChildren } from 'preact'
import { quoted, type Vector } from '../../api/matrix'
import type { Check, Host, Labels as AllLabels } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Copy, Labels, Lack, Link, Moment, Section, StateMark } from '../../parts'
import { formatOf } from '../../parts/unit'
import { now, quarter } from '../../time/clock'
import { bytes, count, duration } from '../../time/format'
import { to } from '../../url/link'
import { happened, type Streams } from './happened'
import { sourcesOf } from './sources'

/** Agents renew with a third of the time left; with less than this something hinders it. */
const EXPIRY_SAID_MS = 7 * 86_400_000
/** Streams of so long ago are followed still, unless nothing is written to them. */
const SOURCES_MS = 86_400_000
/** A clock that is further off than this makes other times wrong than those that people read. */
const OFFSET_SAID_S = 1
const LAG_SAID_S = 60

type Row = readonly [string, ComponentChildren]

export function Facts({ host, checks }: { readonly host: Host; readonly checks: readonly Check[] | null }) {
  // By which token it came in nobody but its event tells.
  const asked = useAnswer<Streams>(() => {
    if (host.enrolled_ms === null || host.state === 'pending') return null
    return ['/loki/api/v1/query_range', { query: `{source="muster",host=${quoted(host.name)}} | kind="host_enrolled"`, start: `${host.enrolled_ms - 60_000}000000`, end: `${host.enrolled_ms + 60_000}000000`, limit: 5 }]
  })
  const by = happened(useShown(asked).value)[0]?.labels['by']
  const { facts } = host
  const expiry = host.certificate_expires_ms
  return (
    <div class="host-all-facts">
      <Section title="Machine" class="padded">
        <List
          rows={[
            ['Host name by itself', facts.host_name],
            ['Operating system', facts.os],
            ['Kernel', facts.kernel],
            ['Architecture', facts.architecture],
            ['Processors', facts.processors],
            ['Memory', facts.memory_bytes && bytes(facts.memory_bytes)],
            ['Virtualisation', facts.virtualisation],
            ['Address', host.peer],
            ['Machine id', host.machine_id && <Id text={host.machine_id} />],
            ['Boot id', host.boot_id && <Id text={host.boot_id} />],
          ]}
        />
      </Section>
      {host.state === 'pending' ? null : <Agent host={host} />}
      <Section title="Enrolment" class="padded">
        <List
          rows={[
            ['Name', host.name],
            ['Labels', Object.keys(host.labels).length > 0 ? <Labels labels={host.labels} /> : null],
            ['State', `${host.state}${host.reason ? `: ${host.reason}` : ''}`],
            ['Asked to be let in', <Moment ms={host.asked_ms} />],
            ['Enrolled', host.enrolled_ms !== null && <><Moment ms={host.enrolled_ms} />{by && <span class="soft"> by {by}</span>}</>],
            ['Replaced', host.replaced_ms !== null && <Moment ms={host.replaced_ms} />],
            ['Retired', host.retired_ms !== null && <Moment ms={host.retired_ms} />],
            ['Retires by itself', host.ephemeral && `after ${host.ephemeral} of silence`],
            [
              'Certificate',
              expiry !== null && (
                <>
                  until <Moment ms={expiry} /> {expiry - now() < EXPIRY_SAID_MS ? <span class="badge tone-warning"><Age ms={expiry} after=" ago" /></span> : <span class="soft"><Age ms={expiry} after=" ago" />, it renews itself</span>}
                </>
              ),
            ],
            ['Its serial', host.serial && <Id text={host.serial} />],
            ['Id', <Id text={host.id} />],
            ['Identity of', host.of && <Id text={host.of} />],
            ['Key that waits', host.waiting_key && <Id text={host.waiting_key} />],
          ]}
        />
      </Section>
      {host.state !== 'pending' && <Followed host={host} checks={checks} />}
    </div>
  )
}

function List({ rows }: { readonly rows: readonly Row[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (value === null || value === undefined || value === false || value === '' || value === 0 ? null : (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      )))}
    </dl>
  )
}

const OWN = 'muster_agent_(clock_offset_seconds|rtt_seconds|spool_bytes|queued_bytes|log_spool_bytes|log_files_followed|log_problems|series|checks_running)|node_boot_time_seconds'

/** What the agent says of itself, and how far behind its newest numbers are. */
function Agent({ host }: { readonly host: Host }) {
  const matcher = `host=${quoted(host.name)}`
  const at = (): number => Math.floor(quarter.value / 15_000) * 15
  const asked = useAnswer<Vector>(() => ['/api/v1/query', { query: `max by (__name__) ({__name__=~${quoted(OWN)}, ${matcher}})`, time: at() }])
  const lagged = useAnswer<Vector>(() => ['/api/v1/query', { query: `time() - max(timestamp(muster_agent_series{${matcher}}))` }], { every: 15_000 })
  const known = useShown(asked).value
  const values = new Map((known?.data.result ?? []).map(({ metric, value }) => [(metric['__name__'] ?? '').replace('muster_agent_', ''), Number(value[1])]))
  const lag = useShown(lagged).value?.data.result[0]?.value[1]
  const inBytes = (name: string): string | null => (values.has(name) ? bytes(values.get(name) ?? 0) : null)
  const [offset, problems, boot] = [values.get('clock_offset_seconds'), values.get('log_problems'), values.get('node_boot_time_seconds')]
  const seconds = formatOf('seconds')
  return (
    <Section title="Agent" class="padded">
      <div>
        <Lack answer={asked.answer.value} what="what the agent says of itself" onAgain={asked.again} flat />
        <Lack answer={lagged.answer.value} what="lag" onAgain={lagged.again} flat />
        <List
          rows={[
            ['Version', host.agent_version],
            ['Last seen', <Age ms={host.last_arrival_ms} after=" ago" />],
            ['Last greeting', host.last_hello_ms !== null && <Moment ms={host.last_hello_ms} />],
            ['Booted', boot !== undefined && <><Moment ms={boot * 1000} /> <span class="soft"><Age ms={boot * 1000} after=" ago" /></span></>],
            ['Lag of its numbers', lag === undefined ? 'not known: none of them is younger than 5 m' : <>{seconds(Number(lag))} {Number(lag) > LAG_SAID_S && <span class="badge tone-warning">behind</span>}</>],
            ['Clock offset', offset !== undefined && <>{seconds(offset)} {Math.abs(offset) > OFFSET_SAID_S && <span class="badge tone-warning">wrong</span>}</>],
            ['Round trip', values.has('rtt_seconds') && seconds(values.get('rtt_seconds') ?? 0)],
            ['Spool of numbers', inBytes('spool_bytes')],
            ['Waiting to be sent', inBytes('queued_bytes')],
            ['Spool of lines', inBytes('log_spool_bytes')],
            ['Series', values.has('series') && (values.get('series') ?? 0).toLocaleString('en-GB')],
            ['Log files followed', values.has('log_files_followed') && String(values.get('log_files_followed'))],
            ['Log sources in trouble', problems !== undefined && problems > 0 && <span class="badge tone-warning">{problems}</span>],
          ]}
        />
      </div>
    </Section>
  )
}

/** Which logs came of it in the last day, and which checks it has. */
function Followed({ host, checks }: { readonly host: Host; readonly checks: readonly Check[] | null }) {
  const asked = useAnswer<{ data: readonly AllLabels[] }>(() => {
    const end = Math.ceil(quarter.value / 60_000) * 60_000
    return ['/loki/api/v1/series', { 'match[]': `{host=${quoted(host.name)},source!="muster"}`, start: `${end - SOURCES_MS}000000`, end: `${end}000000` }]
  })
  const known = useShown(asked).value
  const sources = known ? sourcesOf(known.data) : []
  return (
    <Section title="Logs and checks">
      <div class="inside stack">
        <Lack answer={asked.answer.value} what="sources of log lines" onAgain={asked.again} flat />
        {known && <strong class="small">{sources.length === 0 ? `No log lines in ${duration(SOURCES_MS)}` : `${count(sources.length, 'source')} of log lines in ${duration(SOURCES_MS)}`}</strong>}
        {sources.length > 0 && (
          <ul aria-label="Sources of log lines">
            {sources.map(({ key, name, note, query }) => (
              <li key={key} class="row">
                <Link to={to(['logs'], { q: query })}><span class="mono small any-word">{name}</span></Link>
                <span class="small soft">{note}</span>
              </li>
            ))}
          </ul>
        )}
        {checks && <strong class="small">{count(checks.length, 'check')}</strong>}
        {checks && checks.length > 0 && (
          <ul aria-label="Its checks">
            {checks.map((check) => (
              <li key={check.check} class="row">
                <StateMark state={check.state} short size={14} />
                <span class="any-word">{check.check}</span>
                <span class="small soft">{check.interval_ms > 0 ? `${check.kind ?? ''} every ${duration(check.interval_ms)}` : 'handed over'}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </Section>
  )
}

function Id({ text }: { readonly text: string }) {
  return (
    <span class="row">
      <code class="any-word">{text}</code> <Copy text={text} />
    </span>
  )
}
