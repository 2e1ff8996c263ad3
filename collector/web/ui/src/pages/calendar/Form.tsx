// The form of a silence or a downtime, with what it would hold back now.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import { myName } from '../../api/me'
import type { Alerts, Hosts } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Choice, Code, Dialog, Lack, Notice, say, TextField } from '../../parts'
import { now } from '../../time/clock'
import { count, fromInput, parseDuration, toInput } from '../../time/format'
import { api } from '../../url/link'
import { isUtc } from '../../url/range'
import type { Item } from './items'
import { matchesAll, parseMatchers, silenceCommand, toSilence, written } from './matcher'
import { parseRecurrence } from './recurrence'

export interface Plan {
  readonly kind: Item['kind']
  readonly matchers: readonly string[]
  readonly from: number
  readonly to: number
  readonly every?: string
  readonly zone?: string
  readonly reason?: string
  /** The silence that it takes the place of. */
  readonly id?: string
}

export interface FormProps {
  readonly plan: Plan
  readonly onClose: () => void
  readonly onDone: () => void
}

const OFFERED = ['30m', '2h', '8h', '1d', '7d'] as const

export function PlanForm({ plan, onClose, onDone }: FormProps) {
  const utc = isUtc.value
  const kind = useSignal(plan.kind)
  const text = useSignal(plan.matchers.join('\n'))
  const from = useSignal(toInput(plan.from, utc))
  const to = useSignal(toInput(plan.to, utc))
  const every = useSignal(plan.every ?? '')
  const zone = useSignal(plan.zone ?? (utc ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone))
  const reason = useSignal(plan.reason ?? '')
  const busy = useSignal(false)
  const failed = useSignal('')

  const matchers = parseMatchers(text.value)
  const bad = typeof matchers === 'string' ? matchers : matchers.length === 0 ? 'Write at least one' : null
  // What the inputs cannot show (seconds) stays as it was.
  const begins = from.value === toInput(plan.from, utc) ? plan.from : fromInput(from.value, utc)
  const ends = to.value === toInput(plan.to, utc) ? plan.to : fromInput(to.value, utc)
  const badSpan = begins === null || ends === null || begins >= ends ? 'It ends before it begins' : null
  const isDowntime = kind.value === 'downtime'
  const recurrence = isDowntime && every.value.trim() ? parseRecurrence(every.value, zone.value) : null
  const badEvery = typeof recurrence === 'string' ? recurrence : null

  const submit = async (): Promise<void> => {
    if (bad || badSpan || badEvery || typeof matchers === 'string' || begins === null || ends === null) {
      failed.value = bad ?? badSpan ?? badEvery ?? ''
      return
    }
    busy.value = true
    const answer = isDowntime
      ? await change('POST', api('downtimes'), {
          matchers: matchers.map(written), reason: reason.value, starts_ms: begins, ends_ms: ends, ...(recurrence ? { every: every.value.trim(), zone: zone.value } : {}),
        })
      : await change('POST', '/api/v2/silences', {
          ...(plan.id ? { id: plan.id } : {}), matchers: toSilence(matchers), createdBy: myName.value, comment: reason.value,
          startsAt: new Date(begins).toISOString(), endsAt: new Date(ends).toISOString(),
        })
    busy.value = false
    if (answer.kind !== 'data') {
      failed.value = `${answer.message} ${answer.remedy}`
      return
    }
    say(isDowntime ? 'Downtime planned' : plan.id ? 'Silence changed' : 'Silenced')
    onDone()
    onClose()
  }
  return (
    <Dialog title={plan.id ? 'Change a silence' : isDowntime ? 'Plan a downtime' : 'Silence'} onClose={onClose} submit={plan.id ? 'Change' : isDowntime ? 'Plan' : 'Silence'} onSubmit={submit} busy={busy.value}>
      {!plan.id && <Choice label="Kind" value={kind.value} choices={[['silence', 'Silence'], ['downtime', 'Downtime']]} onChoose={(value) => (kind.value = value)} />}
      <TextField
        label="Matchers"
        value={text.value}
        onInput={(value) => (text.value = value)}
        lines={3}
        autoFocus
        placeholder={isDowntime ? 'host="web-1"' : 'alertname="LoadHigh"'}
        wrong={text.value && bad ? bad : null}
        note={isDowntime ? 'Over host, the labels of the host, and check; one a line, all must match' : 'Over the labels of alerts; one a line, all must match'}
      />
      <Hits isDowntime={isDowntime} matchers={typeof matchers === 'string' ? [] : matchers} />
      <div class="plan-times">
        <TextField label={`From (${utc ? 'UTC' : 'local'})`} type="datetime-local" value={from.value} onInput={(value) => (from.value = value)} />
        <TextField label={`To (${utc ? 'UTC' : 'local'})`} type="datetime-local" value={to.value} onInput={(value) => (to.value = value)} wrong={badSpan} />
      </div>
      <span class="row small soft">
        for{' '}
        <Choice label="How long" value="" choices={OFFERED.map((one) => [one as string, one])} onChoose={(one) => (to.value = toInput((begins ?? now()) + (parseDuration(one) ?? 0), utc))} />
      </span>
      {isDowntime && (
        <div class="plan-times">
          <TextField label="Comes again" value={every.value} onInput={(value) => (every.value = value)} placeholder="sun 02:00-04:00" wrong={badEvery} note="Empty: the whole time" />
          <TextField label="Zone" value={zone.value} onInput={(value) => (zone.value = value)} note="By whose clocks" />
        </div>
      )}
      <TextField label="Why" value={reason.value} onInput={(value) => (reason.value = value)} required={!isDowntime} />
      {!isDowntime && !plan.id && typeof matchers !== 'string' && matchers.length > 0 && begins !== null && ends !== null && begins <= now() + 60_000 && (
        <Code text={silenceCommand(matchers, ends - begins, reason.value)} />
      )}
      {failed.value && <Notice tone="critical">{failed.value}</Notice>}
    </Dialog>
  )
}

/** What a set of matchers hits now, counted and named. */
function Hits({ isDowntime, matchers }: { readonly isDowntime: boolean; readonly matchers: readonly import('./matcher').Matcher[] }) {
  const alerts = useAnswer<Alerts>(() => [api('alerts')], { topic: 'alerts' })
  const hosts = useAnswer<Hosts>(() => [api('hosts')])
  const known = useShown(alerts).value?.alerts
  const all = useShown(hosts).value?.hosts
  if (matchers.length === 0) return null
  const hit = known?.filter((alert) => matchesAll(isDowntime && alert.origin.check ? { ...alert.labels, check: alert.origin.check } : alert.labels, matchers)) ?? []
  // A matcher of a label that hosts do not have says nothing of hosts.
  const ofHosts = matchers.filter(({ name }) => name === 'host' || all?.some((host) => Object.hasOwn(host.labels, name)))
  const places = ofHosts.length > 0 ? (all?.filter((host) => host.state === 'active' && matchesAll({ ...host.labels, host: host.name }, ofHosts)) ?? []) : []
  const names = [...new Set([...hit.map((alert) => `${alert.labels['alertname'] ?? ''}${alert.labels['host'] ? ` on ${alert.labels['host']}` : ''}`)])]
  return (
    <div class="hits small">
      <Lack answer={alerts.answer.value} what="alerts" flat />
      {known && (
        <>
          It hits <strong>{count(hit.length, 'alert')}</strong> that fire now{all && ofHosts.length > 0 && <> and <strong>{count(places.length, 'host')}</strong></>}
          {ofHosts.length === 0 && ', on any host'}
          {(names.length > 0 || places.length > 0) && (
            <div class="soft any-word">{[...names.slice(0, 4), ...(names.length > 4 ? [`and ${names.length - 4} more`] : []), ...(names.length === 0 ? places.slice(0, 5).map((host) => host.name) : [])].join(', ')}</div>
          )}
        </>
      )}
    </div>
  )
}
