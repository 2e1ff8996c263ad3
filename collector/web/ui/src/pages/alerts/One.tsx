// One alert: why it fired, who is told, and what to do about it.
import { useSignal } from '@preact/signals'
import { may } from '../../api/me'
import { change } from '../../api/ask'
import type { Alert, Alerts } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Code, Labels, Lack, Link, Moment, say, StateMark, useKeys } from '../../parts'
import { Before } from '../../inventory/Before'
import { useHeading } from '../../shell/heading'
import { now } from '../../time/clock'
import { api, to } from '../../url/link'
import { PlanForm, type Plan } from '../calendar/Form'
import { written } from '../calendar/matcher'
import { HostLink } from '../problems/Detail'
import type { PageProps } from '../page'
import { HeldBack } from './Holds'
import { Mail } from './Mail'
import { Tree } from './Tree'
import { Evidence, Why } from './Why'
import { useExplained } from './explain'
import './alerts.css'
import '../calendar/calendar.css'

export default function Page({ parts }: PageProps) {
  const id = parts['id'] ?? ''
  return <One key={id} id={id} />
}

function One({ id }: { readonly id: string }) {
  const asked = useAnswer<Alerts>(() => [api('alerts'), { all: true }], { topic: ['alerts', 'silences', 'downtimes'] })
  const known = useShown(asked).value
  const alert = known?.alerts.find((one) => one.id === id)
  useHeading(alert?.labels['alertname'] ?? 'Alert')
  return (
    <div class="page alerts one">
      <Lack answer={asked.answer.value} what="alerts" onAgain={asked.again} />
      {!known ? <div class="wait" /> : alert ? <Known alert={alert} onDone={asked.again} /> : (
        <div class="card empty">
          <h2>This alert is no more</h2>
          <p>It has ended some time ago, or its id is wrong. <Link to="/alerts">All alerts</Link></p>
        </div>
      )}
    </div>
  )
}

function Known({ alert, onDone }: { readonly alert: Alert; readonly onDone: () => void }) {
  const plan = useSignal<Plan | null>(null)
  const { labels, origin } = alert
  const make = (kind: Plan['kind']): void => {
    const name = kind === 'silence' ? 'alertname' : 'check'
    const value = kind === 'silence' ? labels['alertname'] : origin.check
    const wanted: [string, string | undefined][] = [[name, value], ['host', labels['host']]]
    const matchers = wanted.flatMap(([name, value]) => (value ? [written({ name, operator: '=', value })] : []))
    if (may('silence')) plan.value = { kind, matchers, from: now(), to: now() + 7_200_000 }
  }
  const canAck = (origin.kind === 'check' || origin.kind === 'host') && origin.host_id !== undefined && alert.state === 'firing'
  const isAcked = alert.holds.some((hold) => hold.why === 'acknowledged')
  const acknowledge = async (): Promise<void> => {
    if (!canAck || !may('silence')) return
    const answer = await change('POST', api('checks', 'ack'), { checks: [origin.check ? { host: origin.host_id, check: origin.check } : { host: origin.host_id }], comment: '', sticky: false, until_ms: null })
    say(answer.kind === 'data' ? 'Acknowledged' : answer.message, answer.kind === 'data' ? 'ok' : 'critical')
    onDone()
  }
  useKeys([
    { key: 'a', does: 'acknowledge', run: () => void acknowledge() },
    { key: 's', does: 'silence', run: () => make('silence') },
    { key: 'd', does: 'plan a downtime', run: () => make('downtime') },
  ], [alert.id, alert.state])
  return (
    <>
      <section class="card pad stack">
        <div class="row head">
          <StateMark state={alert.state} size={16} />
          <strong class="any-word grow">{labels['alertname']}{labels['host'] && <> on <HostLink host={labels['host']} /></>}</strong>
          <span class="soft small">since <Moment ms={alert.active_ms} short /> (<Age ms={alert.active_ms} after=" ago" />){alert.ends_ms !== null && <>, over <Age ms={alert.ends_ms} after=" ago" /></>}</span>
        </div>
        {Object.entries(alert.annotations).map(([name, value]) => <p key={name} class={name === 'summary' ? 'any-word' : 'any-word soft'}>{value}</p>)}
        <Labels labels={labels} hide={['alertname']} />
        {origin.rule && <span class="small soft any-word">Rule <Link to={to(['rules'], { q: origin.rule })}>{origin.rule}</Link> of group {origin.group} in {origin.file}</span>}
        {may('silence') && (
          <div class="row">
            {canAck && !isAcked && <Button kind="accent" onClick={() => void acknowledge()}>Acknowledge</Button>}
            <Button onClick={() => make('silence')}>Silence</Button>
            <Button onClick={() => make('downtime')}>Downtime</Button>
          </div>
        )}
      </section>
      <div class="columns">
        <div class="stack"><Why alert={alert} /><Evidence alert={alert} /><Before alert={alert.id} title="What changed before it" /></div>
        <div class="stack"><Who alert={alert} /><Mail id={alert.id} /></div>
      </div>
      {plan.value && <PlanForm plan={plan.value} onClose={() => (plan.value = null)} onDone={onDone} />}
    </>
  )
}

function Who({ alert }: { readonly alert: Alert }) {
  const answer = useExplained({ alert: alert.id }, `${alert.updated_ms} ${alert.holds.length} ${alert.receivers.map((one) => one.told_ms).join()}`)
  const explained = answer?.kind === 'data' ? answer.data.explanation : undefined
  const holds = explained?.holds ?? alert.holds
  return (
    <section class="card pad stack">
      <h2>Who is told</h2>
      <HeldBack holds={holds} />
      <Lack answer={answer} what="explanation" flat />
      <Tree labels={alert.labels} explained={explained} />
      <Code text={`muster route explain ${alert.id}`} />
    </section>
  )
}
