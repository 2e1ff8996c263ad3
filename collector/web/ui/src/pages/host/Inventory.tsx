// What a host has and is: its tables, the rows of one of them, and what differs from another host or moment.
import { useMemo } from 'preact/hooks'
import { tellsChange, type ChangeList, type Compared, type HostTables, type TableRows } from '../../api/inventory'
import { useAnswer, useShown } from '../../api/useAnswer'
import { ChangeMark } from '../../inventory/ChangeMark'
import { HostField } from '../../inventory/HostField'
import { MomentField } from '../../inventory/MomentField'
import { betweenOf, momentOf } from '../../inventory/words'
import { Age, Button, Filter, Lack, Link, Moment, Notice, Section, SmallTable } from '../../parts'
import { quarter } from '../../time/clock'
import { count, shortTime } from '../../time/format'
import { api, to } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { DifferingTable, HaveTable, Sides } from './Have'
import { comparison } from './had'
import './have.css'

export const tableParam = param('table')
const q = param('q')
const at = param('at')
const other = param('with')
const otherAt = param('withat')
/** Looks come by themselves, and those that find nothing new have no event. */
const EVERY_MS = 60_000
/** Changes in the overview, and so many are asked for, since those that are no news are left out. */
const [LAST_SHOWN, LAST_ASKED] = [8, 60]

/** Where a table of this host is shown, with the moment and what it is compared with. */
function tablePath(host: string, table: string): string {
  return to(['hosts', host], { tab: 'inventory', table: table || null, at: at.value || null, with: other.value || null, withat: otherAt.value || null })
}

export function Inventory({ host }: { readonly host: string }) {
  const use = { topic: 'events', isNews: tellsChange, every: EVERY_MS } as const
  const [moment, otherMoment] = [momentOf(at.value), momentOf(otherAt.value)]
  const asking = (): ReturnType<typeof comparison> => comparison(host, momentOf(at.value), other.value, momentOf(otherAt.value), tableParam.value)
  const tables = useAnswer<HostTables>(() => [api('hosts', host, 'inventory')], use)
  const rows = useAnswer<TableRows>(() => {
    const when = momentOf(at.value)
    return tableParam.value && asking() === null ? [api('hosts', host, 'inventory', tableParam.value), when === null ? { since: true } : { at: when }] : null
  }, use)
  const compared = useAnswer<Compared>(() => {
    const question = asking()
    return question && [api('inventory', 'compare'), question]
  }, use)
  const [known, knownRows, knownCompared] = [useShown(tables).value, useShown(rows).value, useShown(compared).value]
  const isCompared = asking() !== null
  const names = [...new Set([...(known?.tables.map(({ table }) => table) ?? []), tableParam.value])].filter(Boolean)
  return (
    <>
      <Lack answer={tables.answer.value} what="its tables" onAgain={tables.again} />
      <div class="host-tools">
        <select aria-label="Table" value={tableParam.value} onChange={(event) => setSearch({ table: event.currentTarget.value || null, q: null, sort: null }, 'push')}>
          <option value="">All tables</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        {tableParam.value && <Filter label="Filter rows" placeholder="Text in the rows" value={q.value} onInput={(text) => (q.value = text)} />}
        <MomentField label="As of" at={moment} onTake={(ms) => setSearch({ at: ms === null ? null : String(ms) }, 'push')} />
        <HostField label="Compare with" placeholder="Compare with a host" value={other.value} onTake={(text) => other.push(text.split(' ')[0] ?? '')} />
        <MomentField label="Compare with it as of" at={otherMoment} onTake={(ms) => otherAt.push(ms === null ? '' : String(ms))} />
        {isCompared && (
          <Button small kind="quiet" onClick={() => setSearch({ with: null, withat: null }, 'push')}>
            Compare no more
          </Button>
        )}
      </div>
      {[at, otherAt].map(({ value }) => value !== '' && momentOf(value) === null && (
        <Notice key={value} tone="warning" title="No time:">
          {value}; moments are milliseconds since 1970. It is looked at as it is now.
        </Notice>
      ))}
      {isCompared ? (
        <>
          <Lack answer={compared.answer.value} what="comparison" onAgain={compared.again} />
          {knownCompared ? tableParam.value ? <DifferingTable compared={knownCompared} name={tableParam.value} /> : <Differing host={host} compared={knownCompared} /> : compared.isAsking.value && <div class="wait" role="status" aria-label="Asking for the comparison" />}
        </>
      ) : tableParam.value ? (
        <>
          <Lack answer={rows.answer.value} what="its rows" onAgain={rows.again} />
          {known?.tables.filter(({ table, problem }) => table === tableParam.value && problem).map(({ problem }) => (
            <Notice key={problem} tone="warning" title="The last look did not tell this table:">
              {problem}
            </Notice>
          ))}
          {knownRows ? <HaveTable answer={knownRows} /> : rows.isAsking.value && <div class="wait" role="status" aria-label="Asking for rows" />}
        </>
      ) : (
        known && <Tables host={host} known={known} />
      )}
      {!known && tables.isAsking.value && <div class="wait" role="status" aria-label="Asking for tables" />}
    </>
  )
}

function Tables({ host, known }: { readonly host: string; readonly known: HostTables }) {
  if (known.tables.length === 0) {
    return (
      <div class="card empty">
        <h2>Nothing is known of what it has</h2>
        <p class="any-word">{known.note}</p>
      </div>
    )
  }
  const rows = known.tables.map((one) => ({
    key: one.table,
    cells: [
      <Link to={tablePath(host, one.table)}>{one.table}</Link>,
      <>
        {one.rows.toLocaleString('en-GB')}
        {one.dropped > 0 && <span class="tone-warning" title="There are too many of them">, {one.dropped.toLocaleString('en-GB')} left out</span>}
      </>,
      <Age ms={one.seen_ms} after=" ago" />,
      <Age ms={one.changed_ms} after=" ago" />,
      one.known_from_ms === null ? <span class="soft">never whole</span> : <Moment ms={one.known_from_ms} short />,
      one.problem ? <span class="tone-warning any-word">{one.problem}</span> : <span class="soft">-</span>,
    ],
  }))
  return (
    <Section title="What it has and is" note={count(rows.length, 'table')}>
      <SmallTable label="Tables" heads={[['Table'], ['Rows', 'right'], ['Looked at', 'nowrap'], ['Changed', 'nowrap'], ['Known since', 'wide nowrap'], ['Problem']]} rows={rows} none="No tables." />
    </Section>
  )
}

/** How much differs, table by table. */
function Differing({ host, compared }: { readonly host: string; readonly compared: Compared }) {
  const told = useMemo(() => [...compared.tables].sort((a, b) => Number(b.known) - Number(a.known) || b.rows.length - a.rows.length), [compared])
  const rows = told.map((one) => ({
    key: one.table,
    cells: [
      <Link to={tablePath(host, one.table)}>{one.table}</Link>,
      one.known ? one.rows.length.toLocaleString('en-GB') : <span class="soft">not known on both sides</span>,
      ...(['one', 'other'] as const).map((side) => (one.known ? one.rows.filter((row) => row[side === 'one' ? 'other' : 'one'] === null).length.toLocaleString('en-GB') : '-')),
    ],
  }))
  return (
    <Section title="What differs" note={<Sides compared={compared} />}>
      <SmallTable label="Tables that differ" heads={[['Table'], ['Rows that differ', 'right'], [compared.one.host === compared.other.host ? 'Only in the first' : `Only ${compared.one.host}`, 'right any-word'], [compared.one.host === compared.other.host ? 'Only in the second' : `Only ${compared.other.host}`, 'right any-word']]} rows={rows} none="No tables." />
    </Section>
  )
}

/** The newest changes of a host, where its plots are; the link leads to those of any time. */
export function LastChanges({ host }: { readonly host: string }) {
  const asked = useAnswer<ChangeList>(() => [api('changes'), { host, limit: LAST_ASKED }], { topic: 'events', isNews: tellsChange, every: EVERY_MS })
  const known = useShown(asked).value
  const last = (known?.changes ?? []).filter(({ is_news }) => is_news).slice(0, LAST_SHOWN)
  return (
    <>
      <Lack answer={asked.answer.value} what="its last changes" onAgain={asked.again} />
      {last.length > 0 && (
        <section class="card host-below host-changes" aria-label="Last changes">
          <h2>
            Last changes <Link class="small" to={to(['changes'], { host, since: '' })}>all of them</Link>
          </h2>
          <ul>
            {last.map((change, place) => (
              <li key={`${change.until_ms} ${change.table} ${place}`}>
                <time class="small soft nowrap" title={betweenOf(change.after_ms, change.until_ms, isUtc.value)}>
                  {shortTime(change.until_ms, quarter.peek(), isUtc.value)}
                </time>
                <ChangeMark kind={change.kind} />
                <span class="cut" title={change.words}>{change.words}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  )
}
