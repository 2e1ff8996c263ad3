// Rules: what is watched for, what of it makes noise, whom it is told to, and what is wrong with a file.
import { useSignal } from '@preact/signals'
import type { ComponentType } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import type { RuleGroups } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Filter, Lack, StateMark, Tabs, VirtualTable, type Column } from '../../parts'
import { useHeading } from '../../shell/heading'
import { duration } from '../../time/format'
import { param } from '../../url/query'
import { Lint } from './Lint'
import { Noise } from './Noise'
import { Routes } from './Routes'
import { filterRules, rowsOf, shortFile, type RuleRow, type State } from './rule'
import './rules.css'
import '../alerts/alerts.css'
import '../calendar/calendar.css'

const tab = param('tab', 'rules')
const q = param('q')
const state = param('state')
const file = param('file')
const at = param('at')
const sort = param('sort')

export default function Rules() {
  const asked = useAnswer<RuleGroups>(() => ['/api/v1/rules'], { topic: 'alerts', every: 30_000 })
  const groups = useShown(asked).value?.data.groups
  const all = useMemo(() => rowsOf(groups ?? []), [groups])
  const rows = useMemo(() => filterRules(all, q.value, state.value, file.value), [all, q.value, state.value, file.value])
  useHeading('Rules', all.length)
  const open = at.value ? all.find((row) => row.key === at.value) : undefined
  const has = (one: State): number => all.filter((row) => row.state === one).length
  return (
    <div class={`page rules${tab.value === 'rules' || tab.value === 'noise' ? ' fill' : ''}`}>
      <Tabs label="Views" tab={tab} tabs={[['rules', 'Rules'], ['noise', 'Noisiest'], ['routes', 'Routes'], ['lint', 'Try a file']]} />
      {tab.value === 'noise' && <Noise />}
      {tab.value === 'routes' && <Routes />}
      {tab.value === 'lint' && <Lint />}
      {tab.value === 'rules' && (
        <>
          <Lack answer={asked.answer.value} what="rules" onAgain={asked.again} />
          <div class="tools">
            <div class="grow"><Filter label="Filter" placeholder="Filter: disk critical" value={q.value} onInput={(text) => (q.value = text)} /></div>
            <select aria-label="State" value={state.value} onChange={(event) => (state.value = event.currentTarget.value)}>
              <option value="">any state</option>
              {(['firing', 'pending', 'inactive', 'recording', 'error'] as const).map((one) => <option key={one} value={one}>{one} ({has(one)})</option>)}
            </select>
            <select aria-label="File" value={file.value} onChange={(event) => (file.value = event.currentTarget.value)}>
              <option value="">any file</option>
              {[...new Set(all.map((row) => row.file))].map((one) => <option key={one} value={one}>{shortFile(one)}</option>)}
            </select>
          </div>
          {!groups ? <div class="wait" /> : rows.length > 0 ? (
            <VirtualTable class="fills" label="Rules" rows={rows} columns={COLUMNS} keyOf={(row) => row.key} rowHeight={46} sort={sort} onOpen={(row) => at.push(row.key)} />
          ) : (
            <div class="card fills empty"><h2>{all.length > 0 ? 'No rule fits the filter' : 'There are no rules'}</h2><p>Rule files lie in the folder that the collector is given by --rules.</p></div>
          )}
        </>
      )}
      {open && <Opened row={open} />}
    </div>
  )
}

/** The detail has a plot, and is loaded when it is wanted. */
function Opened({ row }: { readonly row: RuleRow }) {
  const loaded = useSignal<ComponentType<{ readonly row: RuleRow; readonly onClose: () => void }> | null>(null)
  useEffect(() => void import('./Detail').then((module) => (loaded.value = module.default)), [])
  const Detail = loaded.value
  return Detail ? <Detail key={row.key} row={row} onClose={() => (at.value = '')} /> : null
}

function Mark({ state }: { readonly state: State }) {
  if (state === 'firing' || state === 'pending') return <StateMark state={state} />
  return <span class={state === 'error' ? 'badge tone-critical' : 'soft small'}>{state === 'inactive' ? 'quiet' : state}</span>
}

const COLUMNS: readonly Column<RuleRow>[] = [
  { name: 'state', title: 'State', width: '82px', by: (row) => row.state, cell: (row) => <Mark state={row.state} /> },
  {
    name: 'name', title: 'Rule', width: 'minmax(140px, 3fr)', by: (row) => row.rule.name,
    cell: (row) => (
      <div class="two">
        <button type="button" class="link-like cut" onClick={() => at.push(row.key)}><b>{row.rule.name}</b></button>
        <span class="cut small soft mono" title={row.rule.lastError ?? row.rule.query}>{row.rule.lastError ?? row.rule.query}</span>
      </div>
    ),
  },
  { name: 'group', title: 'Group', width: 'minmax(90px, 1fr)', from: 640, by: (row) => `${row.file} ${row.group}`, cell: (row) => <div class="two"><span class="cut">{row.group}</span><span class="cut small soft" title={row.file}>{shortFile(row.file)}</span></div> },
  { name: 'for', title: 'For', width: '64px', from: 760, right: true, by: (row) => row.rule.duration ?? 0, cell: (row) => (row.rule.duration ? duration(row.rule.duration * 1000) : '') },
  { name: 'alerts', title: 'Alerts', width: '56px', right: true, by: (row) => row.rule.alerts?.length ?? 0, cell: (row) => row.rule.alerts?.length || '' },
  { name: 'took', title: 'Took', width: '64px', from: 900, right: true, by: (row) => row.took, cell: (row) => <span class={row.took > row.interval ? 'tone-warning' : 'soft'} title="What the last round of its group took">{duration(row.took * 1000)}</span> },
  { name: 'last', title: 'Looked at', width: '82px', from: 560, right: true, cell: (row) => (row.rule.lastEvaluation.startsWith('0001') ? <span class="soft">never</span> : <Age ms={Date.parse(row.rule.lastEvaluation)} />) },
]
