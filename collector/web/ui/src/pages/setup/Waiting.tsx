// Hosts that wait for a person: let in, or not. And those that are set aside because two machines had one identity.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { Host } from '../../api/types'
import { Age, Button, Dialog, Failed, Link, Notice, say, Section, SmallTable, TextField, toggled, useDoing } from '../../parts'
import { count } from '../../time/format'
import { api, to } from '../../url/link'
import { comparison, holderOf, together } from './enrol'

export interface WaitingProps {
  readonly hosts: readonly Host[]
  readonly all: readonly Host[]
  readonly mayAct: boolean
  readonly onDone: () => void
}

interface Act {
  readonly does: 'approve' | 'replace' | 'retire'
  readonly host: Host
  /** The active host that has its name or identity. */
  readonly holder?: Host | undefined
}

/** The first characters of a key are enough to compare them aloud. */
const KEY_SHOWN = 16

const WORDS = {
  approve: ['Let in', 'Let it in', 'is let in'],
  replace: ['Let another machine be', 'Let it take the place', 'is the new machine'],
  retire: ['Refuse', 'Refuse', 'is refused'],
} as const

function Machine({ host, holder }: { readonly host: Host; readonly holder?: Host | undefined }) {
  const { host_name, os, kernel, architecture, virtualisation } = host.facts
  return (
    <div class="small">
      {host_name && (
        <div class="any-word">
          {host_name} <span class="soft">{[os, kernel, architecture, virtualisation].filter(Boolean).join(', ')}</span>
        </div>
      )}
      <div class="soft any-word">
        from <code>{host.peer || 'nobody knows where'}</code>
        {host.machine_id && (
          <>
            , machine <code title={host.machine_id}>{host.machine_id.slice(0, KEY_SHOWN)}</code>
          </>
        )}
        {host.waiting_key && (
          <>
            , key <code title={host.waiting_key}>{host.waiting_key.slice(0, KEY_SHOWN)}</code>
          </>
        )}
      </div>
      {holder && (
        <div class="tone-warning">
          Asks for a taken name. <Link to={to(['hosts', holder.name])}>{holder.name}</Link> {holder.last_arrival_ms === null ? 'was not heard yet, and came' : <>was heard <Age ms={holder.last_arrival_ms} after=" ago" /></>} from <code>{holder.peer}</code>: this is {comparison(host, holder)}.
        </div>
      )}
    </div>
  )
}

export function Waiting({ hosts, all, mayAct, onDone }: WaitingProps) {
  const acting = useSignal<Act | null>(null)
  const chosen = useSignal<ReadonlySet<string>>(new Set())
  const many = useSignal<'approve' | 'retire' | null>(null)
  const picked = hosts.filter((host) => chosen.value.has(host.id))
  const areAll = picked.length === hosts.length
  return (
    <Section
      title="Waiting to be let in"
      note={count(hosts.length, 'host')}
      actions={
        mayAct && picked.length > 0 && (
          <>
            <span class="small">{picked.length} chosen</span>
            <Button small kind="accent" onClick={() => (many.value = 'approve')}>
              Let them in
            </Button>
            <Button small kind="danger" onClick={() => (many.value = 'retire')}>
              Refuse them
            </Button>
          </>
        )
      }
    >
      <SmallTable
        label="Waiting to be let in"
        heads={[
          ...(mayAct ? [[<input type="checkbox" aria-label="Choose all that wait" checked={areAll} onChange={() => (chosen.value = new Set(areAll ? [] : hosts.map((host) => host.id)))} />, 'pick'] as const] : []),
          ['Host'], ['Why', 'wide'], ['First seen', 'right wide'], [<span class="unseen">Actions</span>, 'right'],
        ]}
        rows={hosts.map((host) => {
          const holder = holderOf(host, all)
          return {
            key: host.id,
            cells: [
              ...(mayAct ? [<input type="checkbox" aria-label={`Choose ${host.name}, from ${host.peer}, machine ${host.machine_id}`} checked={chosen.value.has(host.id)} onChange={() => (chosen.value = toggled(chosen.value, host.id))} />] : []),
              <>
                <strong class="any-word">{host.name}</strong> {host.ephemeral && <span class="badge">retires after {host.ephemeral}</span>}
                <Machine host={host} holder={holder} />
              </>,
              <span class="soft small any-word">{host.reason || '-'}</span>,
              <Age ms={host.asked_ms} after=" ago" />,
              mayAct && (
                <div class="row ends">
                  {holder && (
                    <Button small name={`Replace ${host.name}`} title={`${host.name} is this machine from then on`} onClick={() => (acting.value = { does: 'replace', host, holder })}>
                      Replace
                    </Button>
                  )}
                  <Button small kind="accent" name={`Let in ${host.name}`} onClick={() => (acting.value = { does: 'approve', host, holder })}>
                    Let in
                  </Button>
                  <Button small kind="danger" name={`Refuse ${host.name}`} onClick={() => (acting.value = { does: 'retire', host })}>
                    Refuse
                  </Button>
                </div>
              ),
            ],
          }
        })}
        none="No host waits."
      />
      {acting.value && <Decide {...acting.value} onClose={() => (acting.value = null)} onDone={onDone} />}
      {many.value && <DecideMany does={many.value} hosts={picked} all={all} onClose={() => (many.value = null)} onDone={onDone} />}
    </Section>
  )
}

/** All that are chosen, one after the other; what failed stays and says why. */
function DecideMany({ does, hosts, all, onClose, onDone }: { readonly does: 'approve' | 'retire'; readonly hosts: readonly Host[]; readonly all: readonly Host[]; readonly onClose: () => void; readonly onDone: () => void }) {
  const { free, taken } = together(hosts, all)
  const wanted = does === 'approve' ? free : hosts
  const reason = useSignal('')
  const busy = useSignal(false)
  const failed = useSignal<readonly string[]>([])
  const send = async (): Promise<void> => {
    busy.value = true
    const wrong: string[] = []
    for (const host of wanted) {
      const answer = await change('POST', api('hosts', host.id, does), does === 'approve' ? {} : { reason: reason.value.trim() })
      if (answer.kind !== 'data') wrong.push(`${host.name}: ${answer.message} ${answer.remedy}`)
    }
    busy.value = false
    failed.value = wrong
    if (wrong.length < wanted.length) say(`${count(wanted.length - wrong.length, 'host')} ${does === 'approve' ? 'let in' : 'refused'}`)
    onDone()
    if (wrong.length === 0) onClose()
  }
  return (
    <Dialog title={does === 'approve' ? `Let ${count(wanted.length, 'host')} in` : `Refuse ${count(wanted.length, 'host')}`} {...(wanted.length > 0 ? { submit: does === 'approve' ? 'Let them in' : 'Refuse them' } : {})} danger={does === 'retire'} busy={busy.value} ready={does === 'approve' || reason.value.trim() !== ''} onSubmit={send} onClose={onClose}>
      <ul class="any-word">
        {wanted.map((host) => (
          <li key={host.id}>
            {host.name} <span class="soft small">from {host.peer}, machine {host.machine_id.slice(0, KEY_SHOWN)}</span>
          </li>
        ))}
      </ul>
      {does === 'approve' && taken.length > 0 && <Notice tone="warning" title={`${count(taken.length, 'more stays', 'more stay')}:`}>the name is another's or asked for twice, so each must be decided on alone.</Notice>}
      {does === 'retire' && <TextField label="Reason" value={reason.value} onInput={(text) => (reason.value = text)} required autoFocus note="For the events and the audit. They can ask again only with other keys." />}
      {failed.value.length > 0 && <Notice tone="critical" title="Not done:">{failed.value.map((text) => <div key={text}>{text}</div>)}</Notice>}
    </Dialog>
  )
}

export function SetAside({ hosts, all, mayAct, onDone }: WaitingProps) {
  const acting = useSignal<Act | null>(null)
  const name = (id: string | null): string | undefined => all.find((host) => host.id === id)?.name
  return (
    <Section title="Set aside" note="What they send is not taken: another machine has the same identity">
      <SmallTable
        label="Set aside"
        heads={[['Host'], ['Machine', 'wide'], ['Why'], ['Since', 'right wide'], [<span class="unseen">Actions</span>, 'right']]}
        rows={hosts.map((host) => {
          const of = name(host.of)
          return {
            key: host.id,
            cells: [
              <strong class="any-word">{host.name}</strong>,
              <Machine host={host} />,
              <span class="small any-word">
                {host.reason} {of && <>It uses the identity of <Link to={to(['hosts', of])}>{of}</Link>.</>}
              </span>,
              <Age ms={host.asked_ms} after=" ago" />,
              mayAct && (
                <div class="row ends">
                  <Button small kind="accent" name={`Let in ${host.name}`} onClick={() => (acting.value = { does: 'approve', host })}>
                    Let in
                  </Button>
                  <Button small kind="danger" name={`Refuse ${host.name}`} onClick={() => (acting.value = { does: 'retire', host })}>
                    Refuse
                  </Button>
                </div>
              ),
            ],
          }
        })}
        none="None."
      />
      {acting.value && <Decide {...acting.value} onClose={() => (acting.value = null)} onDone={onDone} />}
    </Section>
  )
}

function Decide({ does, host, holder, onClose, onDone }: Act & { readonly onClose: () => void; readonly onDone: () => void }) {
  const doing = useDoing()
  const isAside = host.state === 'quarantined'
  const name = useSignal(holder && !isAside ? '' : host.name)
  const reason = useSignal('')
  const [title, submit, done] = WORDS[does]
  const send = async (): Promise<void> => {
    const body = does === 'approve' ? (isAside || name.value === host.name ? {} : { name: name.value }) : does === 'retire' ? { reason: reason.value || null } : undefined
    const id = does === 'replace' && holder ? holder.id : host.id
    if (!(await doing.run(change('POST', api('hosts', id, does), body), `${does === 'approve' ? name.value : host.name} ${done}`))) return
    onDone()
    onClose()
  }
  return (
    <Dialog title={`${title} ${host.name}`} submit={submit} danger={does === 'retire'} busy={doing.busy.value} onSubmit={send} onClose={onClose}>
      <Machine host={host} holder={holder} />
      {host.waiting_key && (
        <p class="soft small">
          The whole key, to compare with what the agent says: <code class="any-word">{host.waiting_key}</code>
        </p>
      )}
      {does === 'approve' && isAside && <p>It bears the identity from then on, and the machine before is set aside.</p>}
      {does === 'approve' && !isAside && <TextField label="Name" value={name.value} onInput={(text) => (name.value = text.trim())} required autoFocus note={holder ? `${host.name} is the name of another host: give it one of its own` : 'As everything about it will be named'} />}
      {does === 'replace' && <p>The machine that has this name now is denied from then on; its history stays.</p>}
      {does === 'retire' && <TextField label="Reason" value={reason.value} onInput={(text) => (reason.value = text)} autoFocus note="It can ask again only with another key" />}
      <Failed doing={doing} />
    </Dialog>
  )
}
