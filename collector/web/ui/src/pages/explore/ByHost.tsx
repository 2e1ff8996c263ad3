// What a host has sent: names of metrics in groups, each of which adds a plot.
import { useMemo } from 'preact/hooks'
import { quoted } from '../../api/matrix'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Filter, Icon, Lack, Section, toggled } from '../../parts'
import { path } from '../../url/link'
import { param } from '../../url/query'
import { groupsOf, queryOf } from './metrics'

const host = param('host')
const find = param('find')
const opened = param('open')
/** So many names are shown unfolded where somebody searches. */
const FOUND_MAX = 200

export interface ByHostProps {
  /** Adds a plot; absent: there is no place for one more. */
  readonly onAdd: ((query: string) => void) | undefined
  /** The queries that are shown. */
  readonly shown: readonly string[]
}

export function ByHost({ onAdd, shown }: ByHostProps) {
  const hosts = useAnswer<{ data: readonly string[] }>(() => ['/api/v1' + path('label', 'host', 'values')], { topic: 'hosts' })
  const asked = useAnswer<{ data: readonly string[] }>(() => (host.value ? ['/api/v1/label/__name__/values', { 'match[]': `{host=${quoted(host.value)}}` }] : null))
  const [all, names] = [useShown(hosts).value?.data ?? [], useShown(asked).value?.data]
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean)
  const fit = useMemo(() => (names ?? []).filter((name) => words.every((word) => name.toLowerCase().includes(word))), [names, find.value])
  const groups = useMemo(() => groupsOf(fit), [fit])
  const open = useMemo(() => new Set(opened.value.split(',').filter(Boolean)), [opened.value])
  const isFound = words.length > 0 && fit.length <= FOUND_MAX
  return (
    <Section title="By host" note={names ? (words.length > 0 ? `${fit.length} of ${names.length}` : names.length) : undefined}>
      <div class="inside stack">
        <Lack answer={hosts.answer.value} what="hosts" onAgain={hosts.again} flat />
        <select aria-label="Host" value={host.value} onChange={(event) => (host.value = event.currentTarget.value)}>
          <option value="">Choose a host</option>
          {[...new Set([...all, ...(host.value ? [host.value] : [])])].map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        {!host.value && <p class="small soft">Its metrics are listed here; a click plots one.</p>}
        {host.value && <Filter label="Find a metric" placeholder="disk bytes" value={find.value} onInput={(text) => (find.value = text)} />}
        <Lack answer={asked.answer.value} what="its metrics" onAgain={asked.again} flat />
        {host.value && !names && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for its metrics" />}
        {host.value && names && fit.length === 0 && <p class="soft small">{names.length === 0 ? 'This host has sent no metrics.' : 'No metric has all of these words in its name.'}</p>}
        {host.value && groups.length > 0 && (
          <ul class="metric-names" aria-label="Its metrics">
            {groups.map(({ prefix, names }) => {
              const isOpen = isFound || open.has(prefix)
              return (
                <li key={prefix}>
                  <button type="button" class="group" aria-expanded={isOpen} disabled={isFound} onClick={() => (opened.value = [...toggled(open, prefix)].join(','))}>
                    <Icon sign={isOpen ? 'down' : 'right'} size={12} />
                    <span class="mono small cut">{prefix}</span>
                    <span class="small soft">{names.length}</span>
                  </button>
                  {isOpen && (
                    <ul>
                      {names.map((name) => {
                        const query = queryOf(name, host.value)
                        const isShown = shown.includes(query)
                        return (
                          <li key={name}>
                            <button type="button" class="mono small" disabled={isShown || !onAdd} title={isShown ? 'It is plotted' : `Plot ${query}`} onClick={() => onAdd?.(query)}>
                              {name}
                            </button>
                          </li>
                        )
                      })}
                    </ul>
                  )}
                </li>
              )
            })}
          </ul>
        )}
        {host.value && !onAdd && <p class="small soft">There is no place for one more query: remove one.</p>}
      </div>
    </Section>
  )
}
