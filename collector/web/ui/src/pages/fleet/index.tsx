// Fleet: every host in one table, or as a heat map.
import { useComputed, useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { Vector } from '../../api/matrix'
import { own } from '../../api/own'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Filter, HeatMap, Lack, Notice, toggled, type HeatCell } from '../../parts'
import { useHeading } from '../../shell/heading'
import { now, quarter } from '../../time/clock'
import { duration } from '../../time/format'
import { go } from '../../url/location'
import { param } from '../../url/query'
import { withCondition } from '../problems/filter'
import { hostPath, Overall, type Around } from './cells'
import { List } from './List'
import { byHost, METRICS } from './metrics'
import { counts, filter, labelNames, lines, newestVersion, offers, sort as sorted, wordOf, type Row } from './rows'
import { useSparks } from './useSparks'
import { useFleet } from './useFleet'
import './fleet.css'

const q = param('q')
const state = param('state')
const sort = param('sort', 'name')
const group = param('group')
const folds = param('folds')
const view = param('view', 'table')
const colour = param('colour', 'state')

/** Asked again no more often; a number of every host is no small question. */
const VALUES_EVERY_MS = 30_000

export default function Fleet() {
  const { asked, rows } = useFleet()
  const sparks = useSparks()
  const active = useSignal(-1)
  const isMap = view.value === 'map'
  // Of all hosts only where all are coloured or sorted by it.
  const wanted = useComputed(() => (view.value === 'map' ? own(METRICS, colour.value) : /^-?(cpu|memory)$/.test(sort.value) ? own(METRICS, sort.value.replace('-', '')) : undefined))
  const valuesAsked = useAnswer<Vector>(() => {
    const metric = wanted.value
    return metric ? ['/api/v1/query', { query: metric.query, time: Math.floor(quarter.value / VALUES_EVERY_MS) * (VALUES_EVERY_MS / 1000) }] : null
  })
  const known = useShown(valuesAsked)
  const values = useMemo(() => byHost(known.value), [known.value])

  const answer = asked.answer.value
  const all = rows.value
  const { rows: fitting, wrong } = useMemo(() => filter(all, q.value), [all, q.value])
  const states = state.value ? state.value.split(',') : []
  const shown = useMemo(() => sorted(states.length > 0 ? fitting.filter((row) => states.includes(row.overall)) : fitting, sort.value, values), [fitting, state.value, sort.value, values])
  const folded = useMemo(() => new Set(folds.value ? folds.value.split('\n') : []), [folds.value])
  const list = useMemo(() => lines(shown, group.value, folded), [shown, group.value, folded])
  const newest = useMemo(() => newestVersion(all), [all])
  const labels = useMemo(() => labelNames(all), [all])
  useHeading('Fleet', all.length > 0 ? all.length : undefined)

  const fleet = answer?.kind === 'data' ? answer.data : answer?.last
  const around: Around = useMemo(
    () => ({
      cpu: sparks.cpu,
      memory: sparks.memory,
      newest,
      at: fleet?.now_ms ?? now(),
      stripTime: fleet ? `the last ${duration(fleet.strip.bucket_ms * fleet.strip.buckets)}` : '',
      onPick: (name, value) => (q.value = withCondition(q.peek(), name, value)),
    }),
    [fleet, newest],
  )
  const open = (row: Row): void => go(hostPath(row))
  const turn = (one: string): void => {
    state.value = (states.includes(one) ? states.filter((other) => other !== one) : [...states, one]).join(',')
  }
  const metric = own(METRICS, colour.value)
  const cells: HeatCell[] = isMap
    ? shown.map((row) => {
        const value = metric ? values.get(row.name) : undefined
        const label = metric ? `${row.name}, ${metric.title} ${value === undefined ? 'not known' : metric.format(value)}` : row.name
        return { key: row.id, label, state: row.overall, ...(metric && value !== undefined ? { share: value / metric.high } : {}) }
      })
    : []
  return (
    <div class="page fill fleet">
      <Lack answer={answer} what="hosts" onAgain={asked.again} />
      {wanted.value && <Lack answer={valuesAsked.answer.value} what={wanted.value.title} onAgain={valuesAsked.again} />}
      <div class="fleet-tools">
        <Filter label="Filter" placeholder="Filter: web env=prod" value={q.value} onInput={(text) => (q.value = text)} offers={(word) => offers(all, word)} />
        <span class="chips" role="group" aria-label="States">
          {counts(fitting).map(([one, n]) => (
            <button key={one} type="button" class="button small" aria-pressed={states.includes(one)} onClick={() => turn(one)}>
              <Overall state={one} />
              <strong>{n}</strong>
            </button>
          ))}
          {states.filter((one) => !fitting.some((row) => row.overall === one)).map((one) => (
            <button key={one} type="button" class="button small" aria-pressed={true} onClick={() => turn(one)}>
              <Overall state={one} />
              <strong>0</strong>
            </button>
          ))}
        </span>
        <span class="row">
          {!isMap && (
            <label class="row small soft">
              <span>Group by</span>
              <select value={group.value} onChange={(event) => (group.value = event.currentTarget.value)}>
                <option value="">nothing</option>
                {[...new Set([...labels, 'version', ...(group.value ? [group.value] : [])])].map((label) => (
                  <option key={label} value={label}>
                    {label === 'version' ? 'agent version' : label}
                  </option>
                ))}
              </select>
            </label>
          )}
          {isMap && (
            <label class="row small soft">
              <span>Colour by</span>
              <select value={colour.value} onChange={(event) => (colour.value = event.currentTarget.value)}>
                <option value="state">state</option>
                {Object.entries(METRICS).map(([name, { title }]) => (
                  <option key={name} value={name}>
                    {title}
                  </option>
                ))}
              </select>
            </label>
          )}
          <Button small pressed={isMap} onClick={() => view.push(isMap ? 'table' : 'map')}>
            Heat map
          </Button>
        </span>
      </div>
      {wrong && <Notice tone="warning">{wrong}; the rest of the filter counts.</Notice>}
      {answer === null ? (
        <div class="wait" role="status" aria-label="Asking for hosts" />
      ) : shown.length === 0 ? (
        fleet && <Nothing isAny={all.length > 0} />
      ) : isMap ? (
        <div class="card pad fills fleet-map">
          <HeatMap label={metric ? `Hosts by ${metric.title}` : 'Hosts by state'} cells={cells} size={shown.length > 1500 ? 14 : shown.length > 200 ? 20 : 30} onOpen={(cell) => {
            const row = shown.find((row) => row.id === cell.key)
            if (row) open(row)
          }} />
          {metric && <p class="small soft">From pale (0) to full ({metric.format(metric.high)} and more); without a value a square has the colour of its state.</p>}
        </div>
      ) : (
        <List
          lines={list}
          around={around}
          sort={sort}
          label={group.value}
          active={active}
          onOpen={open}
          onTurn={(key) => (folds.value = [...toggled(folded, key)].join('\n'))}
          onSight={(rows) => (sparks.sight.value = rows.map((row) => row.name).join('\n'))}
        />
      )}
      {shown.length > 0 && shown.length < all.length && (
        <p class="small soft">
          {shown.length} of {all.length} hosts{states.length > 0 && `: ${states.map(wordOf).join(', ')}`}
        </p>
      )}
    </div>
  )
}

function Nothing({ isAny }: { readonly isAny: boolean }) {
  return (
    <div class="card fills">
      <div class="empty">
        <h2>{isAny ? 'No host fits the filter' : 'There are no hosts yet'}</h2>
        {isAny ? (
          <p>
            There are others. <Button small onClick={() => ((q.value = ''), (state.value = ''))}>Take the filter away</Button>
          </p>
        ) : (
          <p>
            <code>muster token new --name HOST</code> makes the word with which a host is enrolled; then it is here within seconds.
          </p>
        )}
      </div>
    </div>
  )
}
