// Set up: lets new hosts in. A token and its one command, who waits to be let in, and who is set aside.
import { useSignal } from '@preact/signals'
import { me, may } from '../../api/me'
import type { Hosts, NewToken, Status, Tokens } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Lack, Notice } from '../../parts'
import { useHeading } from '../../shell/heading'
import { now } from '../../time/clock'
import { api } from '../../url/link'
import { HostList } from './HostList'
import { Made } from './Made'
import { NewHost } from './NewHost'
import { TokenList } from './TokenList'
import { SetAside, Waiting } from './Waiting'
import './setup.css'

const EVERY_MS = 10_000

export default function Setup() {
  const isAdmin = may('admin')
  const hosts = useAnswer<Hosts>(() => [api('hosts')], { topic: 'hosts', every: EVERY_MS })
  const tokens = useAnswer<Tokens>(() => (may('admin') ? [api('tokens')] : null), { topic: 'hosts', every: EVERY_MS })
  const status = useShown(useAnswer<Status>(() => [api('status')]))
  const known = useShown(hosts)
  const list = useShown(tokens)
  const made = useSignal<{ readonly made: NewToken; readonly since: number } | null>(null)
  const all = known.value?.hosts ?? []
  const pending = all.filter((host) => host.state === 'pending')
  const aside = all.filter((host) => host.state === 'quarantined')
  useHeading('Set up', pending.length > 0 ? pending.length : undefined)
  const again = (): void => {
    hosts.again()
    tokens.again()
  }
  return (
    <div class="page setup">
      {me.value && !isAdmin && <Notice tone="warning" title="Your role may look only:">tokens are made, and hosts let in, by administrators.</Notice>}
      <Lack answer={hosts.answer.value} what="hosts" onAgain={hosts.again} />
      {pending.length > 0 && <Waiting hosts={pending} all={all} mayAct={isAdmin} onDone={again} />}
      {aside.length > 0 && <SetAside hosts={aside} all={all} mayAct={isAdmin} onDone={again} />}
      {isAdmin &&
        (made.value ? (
          <Made {...made.value} hosts={all} status={status.value} onClose={() => (made.value = null)} />
        ) : (
          <NewHost
            onMade={(one) => {
              made.value = { made: one, since: now() }
              tokens.again()
            }}
          />
        ))}
      {isAdmin && <Lack answer={tokens.answer.value} what="tokens" onAgain={tokens.again} />}
      {list.value && <TokenList tokens={list.value.tokens} onDone={again} />}
      {known.value && <HostList hosts={all} mayAct={isAdmin} onDone={again} />}
      {known.value && pending.length + aside.length === 0 && <p class="soft small quiet">No host waits to be let in, and none is set aside.</p>}
      {!known.value && hosts.isAsking.value && <div class="wait" role="status" aria-label="Asking for hosts" />}
    </div>
  )
}
