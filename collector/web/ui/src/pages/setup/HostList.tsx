// The hosts that there are, and those that were: what each is, and the steps of its life with what comes of them.
import { useSignal } from '@preact/signals'
import { Fragment, type ComponentChild, type ComponentType } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import type { Host, Hosts } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Choice, Dialog, Filter, Labels, Lack, Link, Moment, Section, StateMark, VirtualTable, type Column } from '../../parts'
import { count } from '../../time/format'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import type { LifeProps, LifeStep } from '../host/Life'
import { findHosts } from './enrol'

const shown = param('hosts', 'active')
const q = param('q')
const at = param('at')
const sort = param('sort', 'name')

/** What can be done with an active host, and what comes of it. */
const STEPS: readonly (readonly [LifeStep, string, string])[] = [
  ['rename', 'Rename', 'Id and history stay. What was stored before keeps the former name; rules and dashboards that name it must be changed.'],
  ['labels', 'Labels', 'On all that it sends from now on. Open alerts go on; routes and silences see the new labels.'],
  ['replace', 'Replace', 'Where a machine waits under its name, that one goes on as this host; the machine of before is denied.'],
  ['retire', 'Retire', 'For good: certificates are denied, series end and its alerts close. What is stored stays until it is too old.'],
]

const columns: readonly Column<Host>[] = [
  {
    name: 'name', title: 'Host', width: 'minmax(120px, 2fr)', by: (host) => host.name,
    cell: (host) => (
      <>
        <button type="button" class="link-like" onClick={() => at.push(host.id)}>{host.name}</button> {host.ephemeral && <span class="badge" title="It retires by itself after such a silence">ephemeral, {host.ephemeral}</span>}
      </>
    ),
  },
  { name: 'state', title: 'State', width: '110px', by: (host) => host.presence ?? host.state, cell: (host) => (host.state === 'retired' ? <span class="soft">Retired</span> : host.presence ? <StateMark state={host.presence} /> : <span class="soft">Not heard yet</span>) },
  { name: 'labels', title: 'Labels', width: 'minmax(100px, 2fr)', from: 760, cell: (host) => <Labels labels={host.labels} /> },
  { name: 'os', title: 'Machine', width: 'minmax(90px, 1.4fr)', from: 960, by: (host) => host.facts.os ?? '', cell: (host) => <span class="soft">{host.facts.os}</span> },
  { name: 'version', title: 'Agent', width: '64px', from: 640, by: (host) => host.agent_version, cell: (host) => host.agent_version },
  { name: 'heard', title: 'Heard', width: '92px', right: true, by: (host) => host.last_arrival_ms ?? 0, cell: (host) => <Age ms={host.last_arrival_ms} after=" ago" /> },
]
const retired: readonly Column<Host>[] = [
  ...columns.filter(({ name }) => name === 'name' || name === 'labels' || name === 'os'),
  { name: 'reason', title: 'Why', width: 'minmax(90px, 2fr)', from: 480, by: (host) => host.reason, cell: (host) => <span title={host.reason}>{host.reason || '-'}</span> },
  { name: 'retired', title: 'Retired', width: '92px', right: true, by: (host) => host.retired_ms ?? 0, cell: (host) => <Age ms={host.retired_ms} after=" ago" /> },
]

export function HostList({ hosts, mayAct, onDone }: { readonly hosts: readonly Host[]; readonly mayAct: boolean; readonly onDone: () => void }) {
  const asked = useAnswer<Hosts>(() => (shown.value === 'retired' ? [api('hosts'), { all: true }] : null), { topic: 'hosts' })
  const all = useShown(asked).value?.hosts
  const step = useSignal<LifeStep | null>(null)
  const isRetired = shown.value === 'retired'
  const listed = useMemo(() => (isRetired ? (all ?? []).filter((host) => host.state === 'retired') : hosts.filter((host) => host.state === 'active' && (shown.value !== 'ephemeral' || host.ephemeral !== null))), [hosts, all, shown.value])
  const rows = findHosts(listed, q.value)
  const open = at.value ? [...hosts, ...(all ?? [])].find((host) => host.id === at.value) : undefined
  return (
    <Section title="Hosts" note={isRetired && !all ? null : count(listed.length, 'host')} actions={<Choice label="Which hosts" value={shown.value} choices={[['active', 'Registered'], ['ephemeral', 'Ephemeral'], ['retired', 'Retired']]} onChoose={(value) => (shown.value = value)} />}>
      <Lack answer={asked.answer.value} what="retired hosts" onAgain={asked.again} flat />
      <div class="row filter-line">
        <Filter label="Filter hosts" placeholder="Filter: name, label, address, machine id" value={q.value} onInput={(text) => (q.value = text)} />
      </div>
      {rows.length > 0 ? (
        <VirtualTable label="Hosts" rows={rows} columns={isRetired ? retired : columns} keyOf={(host) => host.id} most={420} sort={sort} onOpen={(host) => at.push(host.id)} />
      ) : (
        <p class="none soft">{listed.length > 0 ? 'None fits the filter.' : isRetired ? 'No host was retired.' : shown.value === 'ephemeral' ? 'No host retires by itself.' : 'No host is registered: make a token above.'}</p>
      )}
      {open && !step.value && <About host={open} mayAct={mayAct} onStep={(one) => (step.value = one)} onClose={() => (at.value = '')} />}
      {open && step.value && <Step host={open} step={step.value} onClose={() => (step.value = null)} onDone={() => { at.value = ''; onDone() }} />}
    </Section>
  )
}

function About({ host, mayAct, onStep, onClose }: { readonly host: Host; readonly mayAct: boolean; readonly onStep: (step: LifeStep) => void; readonly onClose: () => void }) {
  const { facts } = host
  const lines: readonly (readonly [string, ComponentChild])[] = [
    ['Labels', Object.keys(host.labels).length > 0 && <Labels labels={host.labels} />],
    ['Machine', [facts.host_name, facts.os, facts.kernel, facts.architecture, facts.virtualisation].filter(Boolean).join(', ')],
    ['Machine id', host.machine_id && <code class="any-word">{host.machine_id}</code>],
    ['Address', host.peer && <code>{host.peer}</code>],
    ['First seen', <Moment ms={host.asked_ms} />],
    ['Enrolled', host.enrolled_ms !== null && <Moment ms={host.enrolled_ms} />],
    ['Replaced', host.replaced_ms !== null && <Moment ms={host.replaced_ms} />],
    ['Certificate', host.state === 'active' && host.certificate_expires_ms !== null && <Age ms={host.certificate_expires_ms} before="ends " after=" ago" />],
    ['Retired', host.retired_ms !== null && <><Moment ms={host.retired_ms} /> {host.reason}</>],
    ['Ephemeral', host.ephemeral !== null && host.state === 'active' && `retires by itself after a silence of ${host.ephemeral}`],
    ['Id', <code class="any-word">{host.id}</code>],
  ]
  return (
    <Dialog title={<span class="any-word">{host.name}</span>} onClose={onClose}>
      <dl class="facts">
        {lines.filter(([, value]) => value).map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd class="any-word">{value}</dd>
          </Fragment>
        ))}
      </dl>
      {host.state === 'active' && <Link to={to(['hosts', host.name])}>Its page</Link>}
      {mayAct && host.state === 'active' && (
        <ul class="life">
          {STEPS.map(([step, title, then]) => (
            <li key={step}>
              <Button small kind={step === 'retire' ? 'danger' : 'plain'} onClick={() => onStep(step)}>
                {title} ...
              </Button>
              <span class="soft small">{then}</span>
            </li>
          ))}
        </ul>
      )}
      {host.state === 'retired' && <p class="soft small">It can come back only as a new host, by a new token; its history stays under the id above until it is too old.</p>}
    </Dialog>
  )
}

/** The dialogs are those of the host's page, and are loaded when they are wanted. */
function Step(props: LifeProps) {
  const loaded = useSignal<ComponentType<LifeProps> | null>(null)
  useEffect(() => void import('../host/Life').then((module) => (loaded.value = module.Life)), [])
  const Life = loaded.value
  return Life ? <Life key={props.step} {...props} /> : null
}
