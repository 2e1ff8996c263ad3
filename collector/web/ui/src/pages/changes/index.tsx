// Changes: what hosts have and are, and how that changed, the newest first.
import { useMemo } from 'preact/hooks'
import { tellsChange, type ChangeList, type TableShapes } from '../../api/inventory'
import { useAnswer, useShown } from '../../api/useAnswer'
import { HostField } from '../../inventory/HostField'
import { MomentField } from '../../inventory/MomentField'
import { Button, Choice, Filter, Lack, Notice } from '../../parts'
import { useHeading } from '../../shell/heading'
import { now } from '../../time/clock'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { here, setSearch } from '../../url/location'
import { param } from '../../url/query'
import { Feed } from './Feed'
import { gathered, hostsOf, LIMIT, readTrail, timesOf } from './gather'
import './changes.css'

/** Changes that are no news have no event; and of very many some have none. */
const EVERY_MS = 60_000
const AGES = [['', 'All'], ['1h', '1 h'], ['1d', '1 d'], ['7d', '7 d'], ['30d', '30 d']] as const

const q = param('q')
const host = param('host')
const table = param('table')
const since = param('since')
const quiet = param('quiet')
const before = param('before')
/** The places of the pages before this one. */
const trail = param('pages')

/** Another question begins with its newest page. */
function narrow(changes: Readonly<Record<string, string | null>>): void {
  setSearch({ before: null, pages: null, ...changes }, 'replace')
}

export default function Changes() {
  useHeading('Changes')
  const times = timesOf(here.value.search, now())
  const asked = useAnswer<ChangeList>(
    () => {
      const { from, to } = timesOf(here.value.search, now())
      return [api('changes'), { host: hostsOf(host.value), table: table.value || null, text: q.value || null, from, to, limit: LIMIT, before: before.value || null }]
    },
    { topic: 'events', isNews: tellsChange, every: EVERY_MS },
  )
  const tables = useAnswer<TableShapes>(() => [api('inventory', 'tables')])
  const known = useShown(asked).value
  const shapesKnown = useShown(tables).value
  const shapes = useMemo(() => new Map((shapesKnown?.tables ?? []).map((one) => [one.table, one])), [shapesKnown])
  const lines = useMemo(() => gathered((known?.changes ?? []).filter(({ is_news }) => is_news || quiet.value === '1')), [known, quiet.value])
  const shown = lines.reduce((sum, { all }) => sum + all.length, 0)
  const hidden = (known?.changes.length ?? 0) - shown
  const trailed = readTrail(trail.value)
  const isFirst = before.value === ''
  const isNarrowed = [q, host, table].some(({ value }) => value !== '') || times.from !== null || times.to !== null
  const older = (): void => {
    if (known?.next != null) setSearch({ before: known.next, pages: isFirst ? null : [before.value, ...trailed].join(',') }, 'push')
  }
  const newer = (): void => setSearch({ before: trailed[0] ?? null, pages: trailed.slice(1).join(',') || null }, 'push')
  const names = [...new Set([...shapes.keys(), table.value])].filter((name) => name && name !== 'hosts' && name !== 'changes')
  return (
    <div class="page fill changes">
      <Lack answer={asked.answer.value} what="changes" onAgain={asked.again} />
      <div class="changes-tools">
        <Filter label="Text in the rows" placeholder="Text in the rows: openssl" value={q.value} onInput={(text) => narrow({ q: text || null })} />
        <HostField label="Hosts" placeholder="Hosts: web-1 web-2" value={host.value} onTake={(text) => narrow({ host: text || null })} />
        <select aria-label="Table" value={table.value} onChange={(event) => narrow({ table: event.currentTarget.value || null })}>
          <option value="">all tables</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <Choice label="Since" value={since.value} choices={AGES.some(([value]) => value === since.value) ? AGES : [...AGES, [since.value, since.value]]} onChoose={(value) => narrow({ since: value || null, from: null, to: null })} />
        <MomentField label="From" at={times.from !== null && since.value === '' ? times.from : null} onTake={(at) => narrow({ since: null, from: at === null ? null : String(at) })} />
        <MomentField label="Until" at={times.to} onTake={(at) => narrow({ since: null, to: at === null ? null : String(at) })} />
        <Button small pressed={quiet.value === '1'} title="Of columns that change all the time, such as the state of a unit" onClick={() => (quiet.value = quiet.peek() === '1' ? '' : '1')}>
          Quiet ones too
        </Button>
        {isNarrowed && (
          <Button small kind="quiet" onClick={() => narrow({ q: null, host: null, table: null, since: null, from: null, to: null })}>
            Clear
          </Button>
        )}
      </div>
      {times.wrong !== null && (
        <Notice tone="warning" title="No time:">
          {times.wrong}; since takes such as 7d, from and to take milliseconds since 1970.
        </Notice>
      )}
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for changes" />}
      {lines.length > 0 && <Feed lines={lines} shapes={shapes} />}
      {known && lines.length === 0 && <None hidden={hidden} isNarrowed={isNarrowed} hasOlder={known.next !== null} isFirst={isFirst} />}
      {known && (
        <div class="row paging">
          <span class="small soft">
            {count(shown, 'change')}
            {lines.length !== shown && ` in ${count(lines.length, 'line')}`}
            {hidden > 0 && `; ${count(hidden, 'quiet one')} left out`}
          </span>
          <span class="row">
            <Button small disabled={isFirst} onClick={newer}>
              Newer
            </Button>
            <Button small disabled={known.next === null} onClick={older}>
              Older
            </Button>
          </span>
        </div>
      )}
    </div>
  )
}

function None({ hidden, isNarrowed, hasOlder, isFirst }: { readonly hidden: number; readonly isNarrowed: boolean; readonly hasOlder: boolean; readonly isFirst: boolean }) {
  const isNone = hidden === 0 && !isNarrowed && isFirst
  return (
    <div class="card empty">
      <h2>{isNone ? 'Nothing has changed' : hidden > 0 ? 'Only quiet changes here' : 'No change fits'}</h2>
      <p>
        {isNone
          ? 'Packages, units, ports, users, files and the rest of what hosts have and are: each change of them stands here from the second look of an agent on.'
          : hidden > 0
            ? `${count(hidden, 'change')} of this page ${hidden === 1 ? 'is' : 'are'} of columns that change all the time.`
            : 'No change of this time has this text, host and table.'}
        {hasOlder && ' There are older ones.'}
      </p>
    </div>
  )
}
