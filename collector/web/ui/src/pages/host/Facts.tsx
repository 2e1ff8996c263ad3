// All that is known of the host itself.
import type { ComponentChildren } from 'preact'
import { useAnswer, useShown } from '../../api/useAnswer'
import type { Host } from '../../api/types'
import { quoted } from '../../api/matrix'
import { Age, Copy, Labels, Moment } from '../../parts'
import { now } from '../../time/clock'
import { bytes } from '../../time/format'
import { happened, type Streams } from './happened'

/** Agents renew with a third of the time left; with less than this something hinders it. */
const EXPIRY_SAID_MS = 7 * 86_400_000

export function Facts({ host }: { readonly host: Host }) {
  // By which token it came in nobody but its event tells.
  const asked = useAnswer<Streams>(() => {
    if (host.enrolled_ms === null || host.state === 'pending') return null
    return ['/loki/api/v1/query_range', { query: `{source="muster",host=${quoted(host.name)}} | kind="host_enrolled"`, start: `${host.enrolled_ms - 60_000}000000`, end: `${host.enrolled_ms + 60_000}000000`, limit: 5 }]
  })
  const by = happened(useShown(asked).value)[0]?.labels['by']
  const { facts } = host
  const expiry = host.certificate_expires_ms
  const rows: [string, ComponentChildren][] = [
    ['Name', host.name],
    ['Host name by itself', facts.host_name],
    ['Labels', Object.keys(host.labels).length > 0 ? <Labels labels={host.labels} /> : null],
    ['State', `${host.state}${host.reason ? `: ${host.reason}` : ''}`],
    ['Operating system', facts.os],
    ['Kernel', facts.kernel],
    ['Architecture', facts.architecture],
    ['Processors', facts.processors],
    ['Memory', facts.memory_bytes && bytes(facts.memory_bytes)],
    ['Virtualisation', facts.virtualisation],
    ['Address', host.peer],
    ['Agent', host.agent_version],
    ['Last seen', <Age ms={host.last_arrival_ms} after=" ago" />],
    ['Last greeting', host.last_hello_ms !== null && <Moment ms={host.last_hello_ms} />],
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
    ['Serial of the certificate', host.serial && <Id text={host.serial} />],
    ['Id', <Id text={host.id} />],
    ['Machine id', host.machine_id && <Id text={host.machine_id} />],
    ['Boot id', host.boot_id && <Id text={host.boot_id} />],
    ['Identity of', host.of && <Id text={host.of} />],
    ['Key that waits', host.waiting_key && <Id text={host.waiting_key} />],
  ]
  return (
    <dl class="card pad facts host-all-facts">
      {rows.map(([name, value]) => (value === null || value === undefined || value === false || value === '' || value === 0 ? null : (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      )))}
    </dl>
  )
}

function Id({ text }: { readonly text: string }) {
  return (
    <span class="row">
      <code class="any-word">{text}</code> <Copy text={text} />
    </span>
  )
}
