// Calendar: silences and downtimes, as a list, a week, a month.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { change } from '../../api/ask'
import { may } from '../../api/me'
import type { Downtimes, Silence } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Choice, Code, Dialog, Filter, Lack, Link, Moment, Notice, say, useKeys, VirtualTable, type Column } from '../../parts'
import { useHeading } from '../../shell/heading'
import { now } from '../../time/clock'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { PlanForm, type Plan } from './Form'
import { dayName, daysFrom, dayStart, itemsOf, monthStart, type Item } from './items'
import { shellWord } from './matcher'
import { Month } from './Month'
import { MuteTimes } from './Mutes'
import { Week } from './Week'
import './calendar.css'

const view = param('view', window.matchMedia('(max-width: 620px)').matches ? 'list' : 'week')
const q = param('q')
const show = param('show', 'open')
const on = param('on')
const at = param('at')
const sort = param('sort', 'from')

const HOUR = 3_600_000

export default function Calendar() {
  const silences = useAnswer<readonly Silence[]>(() => ['/api/v2/silences'], { topic: 'silences', every: 60_000 })
  const downtimes = useAnswer<Downtimes>(() => [api('downtimes'), show.value === 'ended' || show.value === 'all' ? { ended: true } : {}], { topic: 'downtimes', every: 60_000 })
  const [ofSilences, ofDowntimes] = [useShown(silences).value, useShown(downtimes).value]
  const all = useMemo(() => itemsOf(ofSilences ?? [], ofDowntimes?.downtimes ?? []), [ofSilences, ofDowntimes])
  const plan = useSignal<Plan | null>(null)
  const utc = isUtc.value
  const words = q.value.toLowerCase().split(/\s+/).filter(Boolean)
  const items = all.filter((item) => {
    const text = [item.kind, item.by, item.reason, ...item.matchers].join(' ').toLowerCase()
    return words.every((word) => text.includes(word)) && (show.value === 'all' || (show.value === 'open' ? item.state !== 'ended' : item.state === show.value))
  })
  const active = all.filter((item) => item.state === 'active').length
  useHeading('Calendar', active)
  const open = at.value ? all.find((item) => item.key === at.value) : undefined
  const place = Number(on.value) || now()
  const again = (): void => {
    silences.again()
    downtimes.again()
  }
  const create = (from = now(), to = now() + 2 * HOUR, kind: Plan['kind'] = 'downtime'): void => {
    if (may('silence')) plan.value = { kind, matchers: [], from, to }
  }
  useKeys([{ key: 'n', does: 'plan a silence or a downtime', run: () => create() }], [])
  const move = (by: number): void => on.push(String(view.value === 'month' ? monthStart(place, utc, by) : dayStart(place, utc, 7 * by)))
  const days = daysFrom(place, utc, 7)
  const title = view.value === 'month' ? dayName(place, utc, { month: 'long', year: 'numeric' }) : `${dayName(days[0] ?? place, utc, { day: 'numeric', month: 'short' })} to ${dayName((days[7] ?? place) - 1, utc, { day: 'numeric', month: 'short', year: 'numeric' })}`
  const isKnown = ofSilences !== undefined || ofDowntimes !== undefined
  return (
    <div class="page fill calendar">
      <Lack answer={silences.answer.value} what="silences" onAgain={silences.again} />
      <Lack answer={downtimes.answer.value} what="downtimes" onAgain={downtimes.again} />
      <div class="tools">
        <Choice label="View" value={view.value} choices={[['week', 'Week'], ['month', 'Month'], ['list', 'List']]} onChoose={(value) => view.push(value)} />
        {view.value !== 'list' && (
          <span class="row">
            <Button small name="Before" onClick={() => move(-1)}>&lt;</Button>
            <Button small onClick={() => on.push('')}>Today</Button>
            <Button small name="After" onClick={() => move(1)}>&gt;</Button>
            <strong class="nowrap">{title}</strong>
          </span>
        )}
        <Choice label="State" value={show.value} choices={[['open', 'Not over'], ['active', 'Active'], ['planned', 'Planned'], ['ended', 'Ended'], ['all', 'All']]} onChoose={(value) => (show.value = value)} />
        <div class="grow"><Filter label="Filter" placeholder="Filter: web-1 upgrade" value={q.value} onInput={(text) => (q.value = text)} /></div>
        <Link to={to(['deploys'], { view: 'freezes' })} class="small">Freezes of deploys</Link>
        {may('silence') ? <Button kind="accent" onClick={() => create()}>New</Button> : <span class="small soft">Your role may look only.</span>}
      </div>
      {!isKnown ? <div class="wait" /> : view.value === 'week' ? (
        <Week at={place} utc={utc} items={items} onOpen={(item) => at.push(item.key)} onSpan={may('silence') ? create : undefined} />
      ) : view.value === 'month' ? (
        <Month at={place} utc={utc} items={items} onOpen={(item) => at.push(item.key)} onDay={(ms) => { on.value = String(ms); view.push('week') }} />
      ) : items.length > 0 ? (
        <VirtualTable class="fills" label="Silences and downtimes" rows={items} columns={COLUMNS} keyOf={(item) => item.key} sort={sort} onOpen={(item) => at.push(item.key)} />
      ) : (
        <div class="card fills empty">
          <h2>{all.length > 0 ? 'None fits the filter' : 'Nothing is held back'}</h2>
          <p>A silence mutes alerts that match; a downtime says that a host or a check is worked on, once or again and again.</p>
        </div>
      )}
      {show.value === 'ended' && ofDowntimes && !ofDowntimes.downtimes.some((one) => one.state === 'ended') && <p class="small soft">The collector tells of no downtime that is over; the audit has them.</p>}
      <MuteTimes />
      {open && !plan.value && (
        <Detail item={open} onClose={() => (at.value = '')} onDone={again} onEdit={(next) => (plan.value = next)} />
      )}
      {plan.value && <PlanForm plan={plan.value} onClose={() => { plan.value = null; at.value = '' }} onDone={again} />}
    </div>
  )
}

const TONES = { active: 'busy', planned: 'off', ended: 'off' } as const

const COLUMNS: readonly Column<Item>[] = [
  { name: 'state', title: 'State', width: '78px', by: (item) => item.state, cell: (item) => <span class={`badge tone-${TONES[item.state]}`}>{item.state}</span> },
  { name: 'what', title: 'What', width: 'minmax(110px, 2fr)', by: (item) => item.matchers.join(), cell: (item) => <button type="button" class="link-like cut mono" title={item.matchers.join(', ')} onClick={() => at.push(item.key)}>{item.matchers.join(', ')}</button> },
  { name: 'kind', title: 'Kind', width: '84px', from: 700, by: (item) => item.kind, cell: (item) => item.kind },
  { name: 'why', title: 'Why', width: 'minmax(90px, 2fr)', from: 560, by: (item) => item.reason, cell: (item) => <>{item.every && <span class="badge">{item.every}</span>} {item.reason || <span class="soft">not said</span>}</> },
  { name: 'by', title: 'By', width: '90px', from: 760, by: (item) => item.by, cell: (item) => item.by },
  { name: 'from', title: 'From', width: '120px', from: 620, right: true, by: (item) => item.from, cell: (item) => <Moment ms={item.from} short /> },
  { name: 'to', title: 'To', width: '104px', right: true, by: (item) => item.to, cell: (item) => <Moment ms={item.to} short /> },
]

function Detail({ item, onClose, onDone, onEdit }: { readonly item: Item; readonly onClose: () => void; readonly onDone: () => void; readonly onEdit: (plan: Plan) => void }) {
  const isSure = useSignal(false)
  const failed = useSignal('')
  const isSilence = item.kind === 'silence'
  const end = async (): Promise<void> => {
    const answer = await change('DELETE', isSilence ? `/api/v2/silence/${encodeURIComponent(item.id)}` : api('downtimes', item.id))
    if (answer.kind !== 'data') {
      failed.value = `${answer.message} ${answer.remedy}`
      return
    }
    say(isSilence ? 'The silence is over' : 'The downtime is over')
    onDone()
    onClose()
  }
  const copyOf = (id?: string): Plan => {
    const length = item.to - item.from
    const begin = item.state === 'ended' ? now() : item.from
    return { kind: item.kind, matchers: item.matchers, from: begin, to: begin + length, every: item.every, zone: item.zone, reason: item.reason, ...(id ? { id } : {}) }
  }
  return (
    <Dialog title={<span class="any-word">{isSilence ? 'Silence' : 'Downtime'}: {item.reason || 'no reason said'}</span>} onClose={onClose}>
      <dl class="facts">
        <dt>State</dt><dd><span class={`badge tone-${TONES[item.state]}`}>{item.state}</span></dd>
        <dt>What</dt><dd class="mono any-word">{item.matchers.map((one) => <div key={one}>{one}</div>)}</dd>
        <dt>From</dt><dd><Moment ms={item.from} /></dd>
        <dt>To</dt><dd><Moment ms={item.to} /> (<Age ms={item.to} after=" ago" />)</dd>
        {item.every && <><dt>Comes again</dt><dd>{item.every}, by the clocks of {item.zone}</dd></>}
        <dt>By</dt><dd>{item.by}</dd>
      </dl>
      {isSilence && item.state !== 'ended' && <Code text={`muster silence expire ${shellWord(item.id)}`} />}
      {failed.value && <Notice tone="critical">{failed.value}</Notice>}
      {may('silence') && (
        <div class="row">
          {isSilence && item.state !== 'ended' && <Button onClick={() => onEdit(copyOf(item.id))}>Change</Button>}
          <Button onClick={() => onEdit(copyOf())}>Make another like it</Button>
          {item.state !== 'ended' && (isSure.value
            ? <Button kind="danger" onClick={() => void end()}>Yes, end it now</Button>
            : <Button onClick={() => (isSure.value = true)}>End it</Button>)}
        </div>
      )}
    </Dialog>
  )
}
