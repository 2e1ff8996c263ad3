// One order: how far it is, wave by wave and host by host; what hosts wrote; and the wheel.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { change } from '../../api/ask'
import { may } from '../../api/me'
import { own } from '../../api/own'
import type { TaskHost, TaskOrder, TaskOrderHosts, TaskOutput } from '../../api/tasks'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Code, Lack, Link, Moment, Notice, ReasonDialog, Section, StateMark, VirtualTable, type Column } from '../../parts'
import { lookOf } from '../../parts/states'
import { quarter } from '../../time/clock'
import { bytes, count, duration } from '../../time/format'
import { api, to } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { Bar } from './Bar'
import { cameTo, isOpen, maintainedIn, stepsOf, tookOf, wavesOf, type Steer } from './progress'

const EVERY_MS = 5_000
const VERBS: Readonly<Record<Steer, readonly [verb: string, said: string, what: string]>> = {
  pause: ['Pause', 'It is paused', 'No other host begins; those that run go on.'],
  resume: ['Go on', 'It goes on', 'Failures so far are taken on by whoever does this.'],
  rollback: ['Roll back', 'It is rolled back', 'What may have run is taken back by the task that was approved with it, in waves of its own.'],
  stop: ['Stop', 'It is stopped', 'Nobody else begins, and what runs is stopped too.'],
}
const TROUBLE: Readonly<Record<TaskOrder['on_trouble'], string>> = { pause: 'pauses', stop: 'stops', roll_back: 'is rolled back' }
const [host, step, sort] = [param('host'), param('step', '0'), param('sort')]

export function One({ number, onDone }: { readonly number: string; readonly onDone: () => void }) {
  const asked = useAnswer<TaskOrderHosts>(() => [api('tasks', 'orders', number)], { topic: 'tasks', every: EVERY_MS })
  const known = useShown(asked).value
  const verb = useSignal<Steer | null>(null)
  const doing = verb.value
  const order = known?.order
  const again = (): void => {
    asked.again()
    onDone()
  }
  return (
    <>
      <Lack answer={asked.answer.value} what={`order ${number}`} onAgain={asked.again} />
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for the order" />}
      {known && order && (
        <>
          <Section
            title={<span class="any-word">Order {order.order}: {order.task}</span>}
            note={isOpen(order) && order.state !== 'requested' ? `wave ${order.wave + 1}, of ${count(order.wave_size, 'host')}` : undefined}
            actions={
              <>
                {may('task:request') && stepsOf(order, quarter.value).map((one) => <Button key={one} small kind={one === 'resume' ? 'accent' : 'danger'} onClick={() => (verb.value = one)}>{VERBS[one][0]} ...</Button>)}
                <Button small kind="quiet" onClick={() => setSearch({ order: null, host: null, step: null }, 'push')}>Close</Button>
              </>
            }
          >
            <div class="inside">
              <div class="row"><StateMark state={order.state} size={16} /> <span class="soft any-word">asked <Age ms={order.made_ms} after=" ago" /> by {order.by}{order.reason && `: ${order.reason}`}</span></div>
              {order.why && <Notice tone={order.state === 'paused' ? 'warning' : 'off'}><span class="any-word">{order.why}</span></Notice>}
              {order.state === 'requested' && <Approve order={order} />}
              <dl class="waves-list">
                {wavesOf(order, known.hosts).map((wave) => (
                  <>
                    <dt key={wave.name}>{wave.name}</dt>
                    <dd><Bar counts={wave.counts} /></dd>
                  </>
                ))}
              </dl>
              <p class="small soft any-word">
                {order.canary > 0 && `First ${count(order.canary, 'host')}, then `}batches of {order.batch}; a wave must be well for {duration(order.soak_ms)}. {count(order.failures, 'failure')} so far; with more than {order.failures_max} it {own(TROUBLE, order.on_trouble) ?? order.on_trouble}. {order.back ? `Taken back by ${order.back}.` : 'Nothing takes it back.'} No call is sent from <Moment ms={order.expires_ms} short /> on.
                {order.approvals.length > 0 && ` Approved by ${order.approvals.map((one) => `${one.approver}${one.verified ? '' : ' (a key that is not known here)'}`).join(', ')}.`}
              </p>
              {maintainedIn(order, known.maintenances).map((line) => <p key={line} class="small soft any-word">{line}</p>)}
              <details><summary>What is signed</summary><Code text={order.text} /></details>
            </div>
          </Section>
          {host.value && <Output key={`${host.value} ${step.value}`} number={number} />}
          <HostTable hosts={known.hosts} />
        </>
      )}
      {doing && order && (
        <ReasonDialog title={`${VERBS[doing][0]}: order ${order.order}, ${order.task}`} submit={VERBS[doing][0]} said={VERBS[doing][1]} danger={doing !== 'resume'} required send={(reason) => change('POST', api('tasks', 'orders', number, doing), { reason })} onClose={() => (verb.value = null)} onDone={again}>
          <p class="small soft">{VERBS[doing][2]}</p>
        </ReasonDialog>
      )}
    </>
  )
}

/** Keys of approvers are not where browsers are: it is approved by a command. */
function Approve({ order }: { readonly order: TaskOrder }) {
  return (
    <div class="stack">
      <p>It waits for {count(order.needs - order.approvals.length, 'approval')} of somebody else than {order.by}, by a key that hosts know:</p>
      <Code text={`muster task approve ${order.order} --key KEY.pem --as NAME`} />
    </div>
  )
}

function HostTable({ hosts }: { readonly hosts: readonly TaskHost[] }) {
  const columns = useMemo((): Column<TaskHost>[] => {
    const runOf = (one: TaskHost) => one.back ?? one.run
    return [
      { name: 'host', title: 'Host', width: 'minmax(100px, 1fr)', by: (one) => one.host ?? one.id, cell: (one) => (one.host === null ? <span class="soft">{one.id}</span> : <Link to={to(['hosts', one.host])}>{one.host}</Link>) },
      { name: 'state', title: 'State', width: '110px', by: (one) => lookOf(one.run.state).rank, cell: (one) => <StateMark state={one.run.state} /> },
      { name: 'back', title: 'Taken back', width: '110px', from: 760, by: (one) => (one.back ? lookOf(one.back.state).rank : -1), cell: (one) => one.back && <StateMark state={one.back.state} /> },
      { name: 'wave', title: 'Wave', width: '60px', right: true, from: 560, by: (one) => one.run.wave ?? Infinity, cell: (one) => (one.run.wave === null ? '-' : one.run.wave + 1) },
      { name: 'took', title: 'Took', width: '90px', right: true, from: 640, cell: (one) => tookOf(runOf(one), quarter.value) },
      { name: 'why', title: 'What became of it', width: 'minmax(80px, 2fr)', cell: (one) => <span class="cut" title={cameTo(runOf(one))}>{cameTo(runOf(one))}</span> },
      {
        name: 'output', title: 'Output', width: '110px', right: true, by: (one) => runOf(one).output_bytes,
        cell: (one) => <Button small name={`Output of ${one.host ?? one.id}: ${bytes(runOf(one).output_bytes)}`} pressed={host.value === (one.host ?? one.id)} onClick={() => setSearch({ host: one.host ?? one.id, step: one.back ? '1' : null }, 'push')}>{bytes(runOf(one).output_bytes)}</Button>,
      },
    ]
  }, [host.value, quarter.value])
  return (
    <Section title="Hosts" note={hosts.length}>
      <VirtualTable label="Hosts of the order" rows={hosts} columns={columns} keyOf={(one) => one.id} sort={sort} most={480} />
    </Section>
  )
}

function Output({ number }: { readonly number: string }) {
  const asked = useAnswer<TaskOutput>(() => [api('tasks', 'orders', number, 'output'), { host: host.value, step: step.value === '1' ? '1' : '0' }], { topic: 'tasks', every: EVERY_MS })
  const known = useShown(asked).value
  return (
    <>
      <Lack answer={asked.answer.value} what="output" onAgain={asked.again} />
      {known && (
        <Section title={<span class="any-word">Output of {host.value}{known.step === 1 && ', taking it back'}</span>} note={`${bytes(known.output_bytes)}${known.dropped_bytes > 0 ? `, of which ${bytes(known.dropped_bytes)} were left out` : ''}`} actions={<Button small kind="quiet" onClick={() => setSearch({ host: null, step: null }, 'push')}>Close</Button>}>
          <div class="inside">{known.text ? <Code text={known.text} /> : <p class="soft">Nothing has come.</p>}</div>
        </Section>
      )}
    </>
  )
}
