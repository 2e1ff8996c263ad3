// Metrics: queries in PromQL, their plots and values, and what each host has.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Button, Choice } from '../../parts'
import { useHeading } from '../../shell/heading'
import { here, setSearch } from '../../url/location'
import { param } from '../../url/query'
import { Ask } from './Ask'
import { ByHost } from './ByHost'
import { NAMES, pointsOf } from './metrics'
import './explore.css'

const view = param('view', 'plot')
const draw = param('draw', 'lines')
const events = param('events', '1')

export default function Explore() {
  useHeading('Metrics')
  const width = useSignal(window.innerWidth)
  const more = useSignal(1)
  useEffect(() => {
    const onResize = (): void => void (width.value = window.innerWidth)
    window.addEventListener('resize', onResize)
    return () => window.removeEventListener('resize', onResize)
  }, [])
  const search = here.value.search
  const used = NAMES.reduce((most, name, at) => (search.get(name) ? at + 1 : most), 1)
  const count = Math.min(NAMES.length, Math.max(used, more.value))
  const remove = (at: number): void => {
    const left = NAMES.map((_, place) => place).filter((place) => place !== at)
    // What belongs to a query moves up with it.
    const changes = NAMES.flatMap((name, place) => ['', 'only', 'sort'].map((part): [string, string | null] => [name + part, search.get(`${NAMES[left[place] ?? -1] ?? ''}${part}`) || null]))
    setSearch(Object.fromEntries(changes), 'push')
    more.value = Math.max(1, count - 1)
  }
  const free = NAMES.find((name) => !search.get(name))
  const isTable = view.value === 'table'
  return (
    <div class="page explore">
      <div class="row">
        <Choice label="Shown as" value={view.value} choices={[['plot', 'Plot'], ['table', 'Values']]} onChoose={(one) => (view.value = one)} />
        {!isTable && <Choice label="Drawn as" value={draw.value} choices={[['lines', 'Lines'], ['stacked', 'Stacked']]} onChoose={(one) => (draw.value = one)} />}
        {!isTable && (
          <Button small pressed={events.value === '1'} title="Marks of what happened to the hosts of the answers" onClick={() => (events.value = events.peek() === '1' ? '0' : '1')}>
            Events
          </Button>
        )}
        <span class="grow" />
        <Button small disabled={count >= NAMES.length} onClick={() => (more.value = count + 1)}>Add a query</Button>
      </div>
      <div class="explore-sides">
        <ByHost shown={NAMES.map((name) => search.get(name) ?? '')} onAdd={free && ((query) => setSearch({ [free]: query, [`${free}only`]: null }, 'push'))} />
        <div class="stack">
          {NAMES.slice(0, count).map((name, at) => (
            <Ask key={name} at={at} points={pointsOf(width.value)} isTable={isTable} isStacked={draw.value === 'stacked'} hasEvents={events.value === '1'} onRemove={count > 1 ? () => remove(at) : undefined} />
          ))}
        </div>
      </div>
    </div>
  )
}
