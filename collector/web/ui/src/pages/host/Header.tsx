// What the host is and how it is, what is wrong with it, and what may be done with it.
import { useSignal } from '@preact/signals'
import { may } from '../../api/me'
import type { Host } from '../../api/types'
import { Age, Button, Entry, Labels, Link, Menu, Notice, StateMark } from '../../parts'
import { bytes, count } from '../../time/format'
import { to } from '../../url/link'
import { go } from '../../url/location'
import type { Action } from '../problems/act'
import { withCondition } from '../problems/filter'
import type { Problem } from '../problems/problem'
import { Life, nameOf, stepsOf, type LifeStep } from './Life'

export interface HeaderProps {
  readonly host: Host
  /** Since when it is there or away, in ms; null: nothing tells. */
  readonly since: number | null
  readonly problems: readonly Problem[] | null
  readonly onAction: (action: Action, problems: readonly Problem[]) => void
  readonly onDone: () => void
}

/** More are a list of their own. */
const SHOWN = 4

function Presence({ host, since }: { readonly host: Host; readonly since: number | null }) {
  if (host.state === 'pending') return <span class="row"><StateMark state="pending" size={17} /> <span class="soft">it waits to be let in, <Age ms={host.asked_ms} after=" already" /></span></span>
  if (host.state !== 'active') return <span class="row"><span class="badge">{host.state === 'retired' ? 'Retired' : 'Set aside'}</span> <span class="soft">{host.reason}</span></span>
  return (
    <span class="row host-presence">
      {host.presence ? <StateMark state={host.presence} size={17} /> : <span class="badge">not heard since the collector began</span>}
      <span class="soft">
        {since !== null && <Age ms={since} before="for " />}
        {host.presence !== 'up' && <>{since !== null && ', '}last seen <Age ms={host.last_arrival_ms} after=" ago" /></>}
      </span>
    </span>
  )
}

export function Header({ host, since, problems, onAction, onDone }: HeaderProps) {
  const step = useSignal<LifeStep | null>(null)
  const { facts } = host
  const steps = stepsOf(host)
  const short = [
    facts.os,
    facts.kernel && `kernel ${facts.kernel}`,
    facts.processors && count(facts.processors, 'CPU'),
    facts.memory_bytes && `${bytes(facts.memory_bytes)} memory`,
    host.peer,
    host.agent_version && `agent ${host.agent_version}`,
  ].filter(Boolean) as string[]
  const open = (problems ?? []).filter((problem) => !problem.isHandled)
  const handled = (problems ?? []).length - open.length
  return (
    <section class="host-head" aria-label="The host">
      <div class="row">
        <Presence host={host} since={since} />
        <Labels labels={host.labels} onPick={(name, value) => go(to(['fleet'], { q: withCondition('', name, value) }))} />
        <span class="grow" />
        {may('admin') && steps.length > 0 && (
          <Menu button="Life cycle" small>
            {(close) => (
              <div class="list">
                {steps.map((one) => (
                  <Entry key={one} onClick={() => { close(); step.value = one }}>
                    {nameOf(one)}
                  </Entry>
                ))}
              </div>
            )}
          </Menu>
        )}
      </div>
      <p class="host-facts small soft">
        {short.map((text) => (
          <span key={text} class="any-word">{text}</span>
        ))}
      </p>
      {host.state === 'pending' && (
        <Notice tone="busy" title="Not let in yet:">
          {host.reason || 'an administrator decides'}.{' '}
          {host.waiting_key && (
            <>
              Compare its key with what it says there: <code class="any-word">{host.waiting_key}</code>{' '}
            </>
          )}
          {may('admin') && (
            <Button small kind="accent" onClick={() => (step.value = 'approve')}>
              Let it in
            </Button>
          )}
        </Notice>
      )}
      {problems && (open.length > 0 || handled > 0) && (
        <ul class="host-problems card" aria-label="Open problems">
          {open.slice(0, SHOWN).map((problem) => (
            <li key={problem.id}>
              <StateMark state={problem.state} short size={15} />
              <Link class="plain name" to={to([''], { at: problem.id, show: 'all' })}>{problem.name}</Link>
              <span class="grow cut soft" title={problem.text}>{problem.text}</span>
              <span class="small soft"><Age ms={problem.since} /></span>
              {may('silence') && (
                <Button small onClick={() => onAction('acknowledge', [problem])} disabled={problem.kind !== 'check' && problem.kind !== 'host'} name={`Ack ${problem.name}`} title="Acknowledge: nothing new is told of it until it ends">
                  Ack
                </Button>
              )}
            </li>
          ))}
          {(open.length > SHOWN || handled > 0) && (
            <li class="small soft">
              <Link to={to([''], { q: `host=${host.name}`, show: open.length > SHOWN ? null : 'handled' })}>
                {open.length > SHOWN ? `${open.length - SHOWN} more open` : `${handled} handled`}
                {open.length > SHOWN && handled > 0 && `, ${handled} handled`}
              </Link>
            </li>
          )}
        </ul>
      )}
      {step.value && <Life key={step.value} host={host} step={step.value} onClose={() => (step.value = null)} onDone={onDone} />}
    </section>
  )
}
