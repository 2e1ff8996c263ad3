// Health: how the collector itself is, what it has dropped, what the doctor finds, and what there is to go back to.
import { useSignal } from '@preact/signals'
import { me, may } from '../../api/me'
import type { Status } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Lack, Link, Notice, Section } from '../../parts'
import { useHeading } from '../../shell/heading'
import { bytes, count, duration } from '../../time/format'
import { quarter, second } from '../../time/clock'
import { api, to } from '../../url/link'
import { DoctorCard } from './Doctor'
import { Drops, HostDrops } from './Drops'
import { MailCard } from './Mail'
import { Plots } from './Plots'
import { RuleGroupsCard } from './RuleGroups'
import { endsIn, lagWords } from './say'
import { SnapshotsCard } from './Snapshots'
import { Storage } from './Storage'
import './health.css'

/** As often as the collector writes down its own numbers. */
const EVERY_MS = 15_000
/** Rules are looked at each few seconds; half a minute without is worth a word. */
const RULES_LATE_MS = 30_000

function RulesAge({ ms }: { readonly ms: number }) {
  const isLate = ms > 0 && second.value - ms > RULES_LATE_MS
  return (
    <span class={isLate ? 'tone-warning' : undefined}>
      {ms > 0 ? <Age ms={ms} after=" ago" /> : 'not yet'}
      {isLate && ': late'}
    </span>
  )
}

/** Until when a certificate is good. */
function Ends({ title, ms }: { readonly title: string; readonly ms: number }) {
  const { tone, text } = endsIn(ms, quarter.value)
  return (
    <>
      <dt>{title} certificate</dt>
      <dd class={tone && `tone-${tone}`} title={new Date(ms).toISOString()}>
        {text}
      </dd>
    </>
  )
}

function Collector({ status }: { readonly status: Status }) {
  const { collector, addresses, hosts, mail } = status
  const kept = status.snapshots
  const ca = status.ca?.expires_ms
  const [active, pending, aside] = [hosts.by_state['active'] ?? 0, hosts.by_state['pending'] ?? 0, hosts.by_state['quarantined'] ?? 0]
  return (
    <Section title="Collector" note={collector.is_ready ? 'ready' : 'not ready'}>
      <dl class="facts">
        <dt>Version</dt>
        <dd>{collector.version}</dd>
        <dt>Up for</dt>
        <dd>
          <span title={String(collector.uptime_seconds)}>{duration(collector.uptime_seconds * 1000)}</span>
        </dd>
        <dt>Rules looked at</dt>
        <dd>
          <RulesAge ms={status.rules_ms} />
        </dd>
        <dt>Hosts</dt>
        <dd>
          {count(active, 'host')}
          {pending + aside > 0 && (
            <>
              , <Link to={to(['hosts-setup'])}>{[pending > 0 && `${pending} waiting`, aside > 0 && `${aside} quarantined`].filter(Boolean).join(', ')}</Link>
            </>
          )}
        </dd>
        {hosts.lag && (
          <>
            <dt>Newest samples</dt>
            <dd class={hosts.lag.over_5m > 0 ? 'tone-warning' : undefined}>{lagWords(hosts.lag)}</dd>
          </>
        )}
        <dt>Pages and API</dt>
        <dd class="mono">{addresses.http}</dd>
        <dt>Agents</dt>
        <dd class="mono">{addresses.agents}</dd>
        <dt>Notices</dt>
        <dd>
          {mail.waiting === 0 ? 'none waits' : `${count(mail.waiting, 'waits', 'wait')}, ${bytes(mail.waiting_bytes)}`}
          {mail.oldest_ms !== null && (
            <>
              , the oldest for <Age ms={mail.oldest_ms} />
            </>
          )}
          {!!mail.retrying && `, ${mail.retrying} tried again`}
          {mail.dead > 0 && <span class="tone-critical">, {mail.dead} given up</span>}
        </dd>
        {status.https && <Ends title="HTTPS" ms={status.https.expires_ms} />}
        {ca != null && <Ends title="CA" ms={ca} />}
        <dt>Snapshots</dt>
        <dd>
          {kept.count === 0 ? 'none' : count(kept.count, 'snapshot')}
          {kept.newest_ms !== null && (
            <>
              , the newest <Age ms={kept.newest_ms} after=" ago" />
              {kept.newest_bytes !== null && `, ${bytes(kept.newest_bytes)}`}
            </>
          )}
          {kept.problem && <div class="tone-critical any-word">{kept.problem}</div>}
        </dd>
      </dl>
    </Section>
  )
}

export default function Health() {
  useHeading('Health')
  const asked = useAnswer<Status>(() => [api('status')], { every: EVERY_MS })
  const known = useShown(asked)
  const made = useSignal(0)
  const status = known.value
  return (
    <div class="page health">
      <Lack answer={asked.answer.value} what="numbers" onAgain={asked.again} />
      {status?.collector.problems.map((trouble) => (
        <Notice key={trouble.message} tone="critical" title={`${trouble.message}.`}>
          {trouble.where && <span class="soft"> {trouble.where}</span>}
          {trouble.remedy && <div>{trouble.remedy}</div>}
        </Notice>
      ))}
      {status ? (
        <>
          {status.collector.problems.length === 0 && status.collector.is_ready && <Notice tone="ok" title="Ready:">the collector knows of no problem of its own.</Notice>}
          {status.restored && (
            <Notice tone="warning" title="The data folder was restored:">
              {status.restored.text}
            </Notice>
          )}
          <div class="two">
            <Collector status={status} />
            <Storage storage={status.storage} />
          </div>
        </>
      ) : (
        asked.isAsking.value && <div class="wait" role="status" aria-label="Asking how the collector is" />
      )}
      {me.value && (may('admin') ? <DoctorCard again={made.value} /> : <OnlyAdmins what="What the doctor finds, and snapshots," />)}
      {me.value && may('admin') && <SnapshotsCard onMade={() => (made.value += 1)} />}
      {me.value && <MailCard />}
      {status && <Plots />}
      {status?.rule_groups && <RuleGroupsCard groups={status.rule_groups} />}
      {status && <Drops status={status} />}
      {me.value && <HostDrops />}
    </div>
  )
}

function OnlyAdmins({ what }: { readonly what: string }) {
  return <Notice>{what} are shown to administrators.</Notice>
}
