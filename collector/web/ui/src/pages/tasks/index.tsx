// Tasks: orders in waves with how far they are, what hosts made of them, and the catalogue of what can be ordered.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import { may } from '../../api/me'
import type { TaskCatalogue, TaskOrder, TaskOrders } from '../../api/tasks'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Code, Failed, Lack, Link, Moment, Notice, ReasonDialog, Section, SmallTable, StateMark, Tabs, useDoing } from '../../parts'
import { useHeading } from '../../shell/heading'
import { now } from '../../time/clock'
import { count, duration } from '../../time/format'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import { Bar } from './Bar'
import { One } from './One'
import { isOpen } from './progress'
import './tasks.css'

/** What hosts say comes as news; what time brings does not. */
const EVERY_MS = 15_000
const view = param('view', 'orders')
const number = param('order')

export default function Tasks() {
  useHeading('Tasks')
  const asked = useAnswer<TaskOrders>(() => [api('tasks', 'orders')], { topic: 'tasks', every: EVERY_MS })
  const known = useShown(asked).value
  return (
    <div class="page tasks">
      <Tabs label="Views of tasks" name="view" tab={view} tabs={[['orders', 'Orders'], ['catalogue', 'Catalogue']]} />
      <Lack answer={asked.answer.value} what="orders" onAgain={asked.again} />
      {known && <Paused paused={known.paused} onDone={asked.again} />}
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for orders" />}
      {view.value === 'catalogue' ? (
        <Catalogue />
      ) : (
        <>
          {/^\d+$/.test(number.value) && <One key={number.value} number={number.value} onDone={asked.again} />}
          {known && <Orders orders={known.orders} />}
        </>
      )}
    </div>
  )
}

/** Nothing is sent to anybody: said on top, and taken back by an administrator. */
function Paused({ paused, onDone }: { readonly paused: string | null; readonly onDone: () => void }) {
  const isAsking = useSignal(false)
  const doing = useDoing()
  const resume = async (): Promise<void> => {
    if ((await doing.run(change('POST', api('tasks', 'resume'), {}), 'Calls are sent again')) !== undefined) onDone()
  }
  return (
    <>
      {paused !== null && (
        <Notice tone="warning" title="All tasks are held back:">
          <span class="any-word">{paused}</span> {may('admin') && <Button small disabled={doing.busy.value} onClick={() => void resume()}>Send calls again</Button>}
        </Notice>
      )}
      <Failed doing={doing} />
      {paused === null && may('task:request') && (
        <div class="row">
          <Button small kind="danger" onClick={() => (isAsking.value = true)}>Hold all back ...</Button>
        </div>
      )}
      {isAsking.value && (
        <ReasonDialog title="Hold all tasks back" submit="Hold back" said="Nothing is sent to anybody" danger required send={(reason) => change('POST', api('tasks', 'pause'), { reason })} onClose={() => (isAsking.value = false)} onDone={onDone}>
          <p class="small soft">No order gives its task to another host until an administrator lets it. What runs goes on.</p>
        </ReasonDialog>
      )}
    </>
  )
}

function Orders({ orders }: { readonly orders: readonly TaskOrder[] }) {
  return (
    <Section title="Orders" note={`${count(orders.filter(isOpen).length, 'open one')}, the newest first`}>
      <SmallTable
        label="Orders"
        heads={[['Number', 'right'], ['State'], ['Task'], ['Hosts'], ['Asked', 'wide'], ['By, and why', 'wide']]}
        rows={orders.map((one) => ({
          key: String(one.order),
          cells: [
            <Button small name={`Order ${one.order}`} pressed={number.value === String(one.order)} onClick={() => number.push(number.peek() === String(one.order) ? '' : String(one.order))}>{one.order}</Button>,
            <>
              <StateMark state={one.state} /> {one.state === 'requested' && <span class="small soft">{one.approvals.length} of {count(one.needs, 'approval')}</span>}
            </>,
            <span class="any-word">{one.task}</span>,
            <Bar counts={one.step === 1 ? one.back_counts : one.counts} />,
            <Moment ms={one.made_ms} short />,
            <span class="soft any-word">{one.by}{one.reason && `: ${one.reason}`}</span>,
          ],
        }))}
        none={<>Nothing was ordered yet. <code>muster rollout start</code> asks for a task of the catalogue on hosts; somebody else approves it.</>}
      />
    </Section>
  )
}

function Catalogue() {
  const asked = useAnswer<{ readonly catalogue: TaskCatalogue | null }>(() => [api('tasks', 'catalogue')], { topic: 'tasks', every: 60_000 })
  const known = useShown(asked).value
  const one = known?.catalogue
  return (
    <>
      <Lack answer={asked.answer.value} what="catalogue" onAgain={asked.again} />
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for the catalogue" />}
      {known && !one && (
        <div class="card empty">
          <h2>There is no catalogue</h2>
          <p>It says what can be run on hosts. Somebody signs it with a key that is not here, and hands it in:</p>
          <Code text={'muster task sign tasks.toml --key signer.pem\nmuster task add tasks.toml'} />
        </div>
      )}
      {one && (
        <>
          <Section title={`Catalogue ${one.catalogue_version}`} note={<span class="any-word">signed by {one.signer ?? 'a key that is not known here'}</span>}>
            <div class="inside small">
              <p class="any-word">
                Handed in by {one.by} <Age ms={one.added_ms} after=" ago" />; {one.expires_ms <= now() ? <strong class="tone-critical">it has expired</strong> : <>good until <Moment ms={one.expires_ms} short /></>}. In force on {count(one.taken, 'host')}{one.refused.length > 0 && `, refused by ${count(one.refused.length, 'host')}`}.
              </p>
              {one.refused.length > 0 && (
                <ul class="any-word">
                  {one.refused.map(({ id, host, why }) => <li key={id}><StateMark state="refused" short /> {host === null ? id : <Link to={to(['hosts', host])}>{host}</Link>}: {why}</li>)}
                </ul>
              )}
            </div>
            <SmallTable
              label="Tasks of the catalogue"
              heads={[['Task'], ['About'], ['Command'], ['As', 'wide'], ['Maintenance', 'right wide'], ['Within', 'right wide']]}
              rows={one.tasks.map((task) => ({
                key: task.task,
                cells: [<strong title={task.task}>{task.task}</strong>, <span class="any-word">{task.about}</span>, <span class="mono small any-word" title={task.parameters.map(({ name, kind }) => `${name}: ${kind}`).join(', ')}>{task.argv.join(' ')}</span>, <span class="any-word">{task.account}</span>, task.maintenance_ms === null ? '-' : duration(task.maintenance_ms), duration(task.timeout_ms)],
              }))}
              none="It has no task."
            />
          </Section>
          <details><summary>The document as it was signed</summary><Code text={one.document} /></details>
        </>
      )}
    </>
  )
}
