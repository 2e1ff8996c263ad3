// Problems: what is wrong now, who has it, and what to do about it.
import { useComputed, useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { may } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import type { Problems as Answered, Status } from '../../api/types'
import { Button, Filter, Lack, Notice, toggled, useKeys } from '../../parts'
import { useHeading } from '../../shell/heading'
import { api } from '../../url/link'
import { param } from '../../url/query'
import { now } from '../../time/clock'
import { ActionDialog } from './Actions'
import { canAcknowledge, type Action } from './act'
import { Bar } from './Bar'
import { Detail } from './Detail'
import { Empty } from './Empty'
import { filter, offers, withCondition, type Show } from './filter'
import { groups, rows } from './group'
import { List } from './List'
import { problemsOf, type Problem } from './problem'
import './problems.css'

const q = param('q')
const state = param('state')
const show = param('show', 'open')
const by = param('group', 'name')
const folds = param('folds')
const at = param('at')

export default function Problems() {
  const asked = useAnswer<Answered>(() => [api('problems'), { soft: true }], { topic: ['alerts', 'checks', 'silences', 'downtimes'], every: 60_000 })
  const status = useShown(useAnswer<Status>(() => [api('status')], { every: 30_000 }))
  const known = useShown(asked)
  const all = useComputed(() => problemsOf(known.value?.problems ?? []))
  const chosen = useSignal<ReadonlySet<string>>(new Set())
  const active = useSignal(-1)
  const acting = useSignal<{ action: Action; problems: readonly Problem[] } | null>(null)

  const states = state.value ? state.value.split(',') : []
  const { problems, wrong } = useMemo(() => filter(all.value, q.value, states, show.value as Show), [all.value, q.value, state.value, show.value])
  const turned = useMemo(() => new Set(folds.value ? folds.value.split('\n') : []), [folds.value])
  const list = useMemo(() => rows(groups(problems, by.value), turned), [problems, by.value, turned])
  const open = useMemo(() => all.value.filter((problem) => !problem.isHandled).length, [all.value])
  useHeading('Problems', open)

  const shownIds = new Set(problems.map((problem) => problem.id))
  // What a filter hides is not acted on.
  const picked = problems.filter((problem) => chosen.value.has(problem.id))
  const atRow = (): readonly Problem[] => {
    const row = list[active.value]
    return row === undefined ? [] : row.kind === 'problem' ? [row.problem] : row.group.problems
  }
  const act = (action: Action, problems: readonly Problem[] = picked.length > 0 ? picked : atRow()): void => {
    if (problems.length > 0 && may('silence')) acting.value = { action, problems }
  }
  useKeys(
    [
      { key: 'a', does: 'acknowledge what is chosen, else this row', run: () => act('acknowledge') },
      { key: 's', does: 'silence it', run: () => act('silence') },
      { key: 'd', does: 'give it a downtime', run: () => act('downtime') },
      { key: 'Escape', does: 'choose nothing', run: () => (chosen.value = new Set()) },
    ],
    [list, picked.length],
  )
  const detail = at.value ? all.value.find((problem) => problem.id === at.value) : undefined
  const turn = (key: string): void => {
    folds.value = [...toggled(turned, key)].join('\n')
  }
  const choose = (ids: readonly string[]): void => {
    const isAll = ids.every((id) => chosen.value.has(id))
    const next = new Set([...chosen.value].filter((id) => shownIds.has(id)))
    for (const id of ids) {
      if (isAll) next.delete(id)
      else next.add(id)
    }
    chosen.value = next
  }
  const answer = asked.answer.value
  return (
    <div class="page fill problems">
      <Lack answer={answer} what="problems" onAgain={asked.again} />
      {status.value?.collector.problems.map((trouble) => (
        <Notice key={trouble.message} tone="critical" title="The collector:">
          {trouble.message} <span class="soft">{trouble.remedy}</span>
        </Notice>
      ))}
      <div class="tools">
        <Filter label="Filter" placeholder="Filter: disk env=prod" value={q.value} onInput={(text) => (q.value = text)} offers={(word) => offers(all.value, word)} />
        <Bar all={all.value} states={states} state={state} show={show} by={by} />
      </div>
      {wrong && <Notice tone="warning">{wrong}; the rest of the filter counts.</Notice>}
      {picked.length > 0 && (
        <div class="acting" role="toolbar" aria-label="What to do with what is chosen">
          <strong>{picked.length} chosen</strong>
          <Button small kind="accent" disabled={!may('silence') || !picked.some(canAcknowledge)} onClick={() => act('acknowledge')}>
            Acknowledge
          </Button>
          <Button small disabled={!may('silence')} onClick={() => act('silence')}>
            Silence
          </Button>
          <Button small disabled={!may('silence')} onClick={() => act('downtime')}>
            Downtime
          </Button>
          <Button small kind="quiet" onClick={() => (chosen.value = new Set())}>
            Choose none
          </Button>
          {!may('silence') && <span class="small soft">Your role may look only.</span>}
        </div>
      )}
      {answer === null ? (
        <div class="wait" role="status" aria-label="Asking for problems" />
      ) : list.length > 0 ? (
        <List rows={list} chosen={chosen} active={active} onChoose={choose} onTurn={turn} onOpen={(problem) => at.push(problem.id)} />
      ) : (
        known.value && (
          <div class="card fills">
            <Empty
              isFiltered={q.value !== '' || states.length > 0 || show.value === 'handled'}
              handled={all.value.length - open}
              freshness={known.value.freshness}
              at={answer.kind === 'data' ? answer.at : (answer.lastAt ?? now())}
            />
          </div>
        )
      )}
      {detail && !acting.value && (
        <Detail
          problem={detail}
          mayAct={may('silence')}
          onAction={(action) => act(action, [detail])}
          onPick={(name, value) => {
            at.value = ''
            q.value = withCondition(q.value, name, value)
          }}
          onClose={() => (at.value = '')}
        />
      )}
      {acting.value && <ActionDialog {...acting.value} all={all.value} onClose={() => (acting.value = null)} onDone={() => {
        chosen.value = new Set()
        asked.again()
      }} />}
    </div>
  )
}
