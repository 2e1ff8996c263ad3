// Metrics: queries in PromQL, their plots and values, and what each host has.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Choice, Filter, Lack, Section } from '../../parts'
import { quoted } from '../../api/matrix'
import { useHeading } from '../../shell/heading'
import { path } from '../../url/link'
import { here, setSearch } from '../../url/location'
import { param } from '../../url/query'
import { NAMES, pointsOf, queryOf } from './metrics'
import { Ask } from './Ask'
import './explore.css'

const view = param('view', 'plot')
const host = param('host')
const find = param('find')
const NAMES_MAX = 200

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
    const all = NAMES.map((name) => search.get(name)).filter((_, place) => place !== at)
    setSearch(Object.fromEntries(NAMES.flatMap((name, place) => [[name, all[place] || null], [`${name}only`, null]])), 'push')
    more.value = Math.max(1, count - 1)
  }
  return (
    <div class="page explore">
      <div class="row">
        <Choice label="Shown as" value={view.value} choices={[['plot', 'Plot'], ['table', 'Values']]} onChoose={(one) => (view.value = one)} />
        <span class="grow" />
        <Button small disabled={count >= NAMES.length} onClick={() => (more.value = count + 1)}>Add a query</Button>
      </div>
      <div class="explore-sides">
        <ByHost />
        <div class="stack">
          {NAMES.slice(0, count).map((name, at) => (
            <Ask key={name} at={at} points={pointsOf(width.value)} isTable={view.value === 'table'} onRemove={count > 1 ? () => remove(at) : undefined} />
          ))}
        </div>
      </div>
    </div>
  )
}

function ByHost() {
  const hosts = useAnswer<{ data: readonly string[] }>(() => ['/api/v1' + path('label', 'host', 'values')], { topic: 'hosts' })
  const asked = useAnswer<{ data: readonly string[] }>(() => (host.value ? ['/api/v1/label/__name__/values', { 'match[]': `{host=${quoted(host.value)}}` }] : null))
  const [all, names] = [useShown(hosts).value?.data ?? [], useShown(asked).value?.data]
  const low = find.value.toLowerCase()
  const fit = (names ?? []).filter((name) => name.toLowerCase().includes(low))
  return (
    <Section title="By host">
      <div class="inside stack">
        <Lack answer={hosts.answer.value} what="hosts" onAgain={hosts.again} flat />
        <select aria-label="Host" value={host.value} onChange={(event) => (host.value = event.currentTarget.value)}>
          <option value="">Choose a host</option>
          {[...new Set([...all, ...(host.value ? [host.value] : [])])].map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        {host.value && <Filter label="Find a metric" value={find.value} onInput={(text) => (find.value = text)} />}
        <Lack answer={asked.answer.value} what="its metrics" onAgain={asked.again} flat />
        {host.value && names && fit.length === 0 && <p class="soft small">{names.length === 0 ? 'This host has sent no metrics.' : 'No metric has this in its name.'}</p>}
        {host.value && fit.length > 0 && (
          <ul class="metric-names" aria-label="Its metrics">
            {fit.slice(0, NAMES_MAX).map((name) => (
              <li key={name}><button type="button" class="mono small" onClick={() => setSearch({ q: queryOf(name, host.value), qonly: null }, 'push')}>{name}</button></li>
            ))}
          </ul>
        )}
        {fit.length > NAMES_MAX && <p class="small soft">The first {NAMES_MAX} of {fit.length}; search for others.</p>}
      </div>
    </Section>
  )
}
