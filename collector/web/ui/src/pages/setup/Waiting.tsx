// Hosts that wait for a person: let in, or not. And those that are set aside because two machines had one identity.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { Host } from '../../api/types'
import { Age, Button, Dialog, Failed, Link, Section, SmallTable, TextField, useDoing } from '../../parts'
import { count } from '../../time/format'
import { api, to } from '../../url/link'
import { holderOf } from './enrol'

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

function Machine({ host }: { readonly host: Host }) {
  return (
    <div class="small">
      {host.facts.host_name && (
        <div class="any-word">
          {host.facts.host_name} <span class="soft">{host.facts.os}</span>
        </div>
      )}
      <div class="soft">
        from {host.peer || 'nobody knows where'}
        {host.waiting_key && (
          <>
            , key <code title={host.waiting_key}>{host.waiting_key.slice(0, KEY_SHOWN)}</code>
          </>
        )}
      </div>
    </div>
  )
}

export function Waiting({ hosts, all, mayAct, onDone }: WaitingProps) {
  const acting = useSignal<Act | null>(null)
  return (
    <Section title="Waiting to be let in" note={count(hosts.length, 'host')}>
      <SmallTable
        label="Waiting to be let in"
        heads={[['Host'], ['Machine', 'wide'], ['Why', 'wide'], ['Since', 'right wide'], [<span class="unseen">Actions</span>, 'right']]}
        rows={hosts.map((host) => {
          const holder = holderOf(host, all)
          return {
            key: host.id,
            cells: [
              <strong class="any-word">{host.name}</strong>,
              <Machine host={host} />,
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
    </Section>
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
      <Machine host={host} />
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
