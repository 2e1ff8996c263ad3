// What was found on hosts, of all of them or of one: listed, filtered, decided.
import { useSignal, type Signal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { Decision, Item, ItemList } from '../api/discovery'
import { may } from '../api/me'
import { useAnswer, useShown } from '../api/useAnswer'
import { HostField } from '../inventory/HostField'
import { betweenOf } from '../inventory/words'
import { Age, Button, Filter, Icon, Lack, Link, Notice, StateMark, toggled, useKeys, VirtualRows } from '../parts'
import { varied } from '../parts/virtual'
import { count, dateTime } from '../time/format'
import { api, to } from '../url/link'
import { setSearch } from '../url/location'
import { param } from '../url/query'
import { isUtc } from '../url/range'
import { Decide, NAMES } from './Decide'
import { bringsOf, decisionsOf, idOf, KINDS, rowsOf, STATES, things, type FoundRow } from './things'
import './found.css'

/** One page of the list; a fleet in which so many wait is looked at by kind or host. */
const LIMIT = 10_000
/** Ages and what is flapping have no news. */
const EVERY_MS = 60_000
const WIDE_PX = 760

const state = param('state')
const kind = param('kind')
const q = param('q')
const host = param('host')
const after = param('after')
const opened = param('open')

/** Another question begins with its first page. */
const narrow = (changes: Readonly<Record<string, string | null>>): void => setSearch({ after: null, open: null, ...changes }, 'replace')

function useItems(own: string | null, which: () => string | null, isPaged: boolean) {
  return useAnswer<ItemList>(() => {
    const wanted = which()
    if (wanted === null) return null
    return [api('discovery'), { host: own === null ? host.value.split(/\s+/).filter(Boolean) : own, state: wanted === 'all' ? null : wanted, kind: kind.value || null, limit: LIMIT, after: (isPaged && after.value) || null }]
  }, { topic: 'discovery', every: EVERY_MS })
}

/** `own`: of this host alone. */
export function Found({ own = null }: { readonly own?: string | null }) {
  // What is to be decided is of two states; each list has its own end.
  const first = useItems(own, () => state.value || 'gone', state.value !== '')
  const second = useItems(own, () => (state.value === '' ? 'proposed' : null), false)
  const [one, other] = [useShown(first).value, useShown(second).value]
  const chosen = useSignal<ReadonlySet<string>>(new Set())
  const active = useSignal(-1)
  const acting = useSignal<{ decision: Decision; items: readonly Item[] } | null>(null)
  const items = useMemo((): readonly Item[] => [...(one?.items ?? []), ...(state.value === '' ? (other?.items ?? []) : [])], [one, other, state.value])
  const list = useMemo(() => things(items, q.value), [items, q.value])
  const open = useMemo(() => new Set(opened.value.split('\n')), [opened.value])
  const rows = useMemo(() => rowsOf(list, open), [list, open])
  const shown = list.flatMap(({ all }) => all)
  const picked = shown.filter((item) => chosen.value.has(idOf(item)))
  const mayDecide = may('silence')
  const act = (decision: Decision, some: readonly Item[] = picked): void => {
    const row = rows[active.peek()]
    const meant = some.length > 0 ? some : itemsOf(row)
    if (mayDecide && meant.length > 0) acting.value = { decision, items: meant }
  }
  useKeys(
    [
      { key: 'a', does: 'accept what is chosen, else this row', run: () => act('accept') },
      { key: 'i', does: 'ignore it', run: () => act('ignore') },
      { key: 'r', does: 'archive it', run: () => act('archive') },
      { key: 'Escape', does: 'choose nothing', run: () => (chosen.value = new Set()) },
    ],
    [rows, picked.length],
  )
  const again = (): void => {
    first.again()
    second.again()
  }
  const next = one?.next ?? (state.value === '' ? other?.next : null) ?? null
  const isNarrowed = [state, kind, q, ...(own === null ? [host] : [])].some(({ value }) => value !== '')
  const isKnown = one && (state.value !== '' || other)
  return (
    <>
      <Lack answer={first.answer.value?.kind === 'data' ? second.answer.value : first.answer.value} what="things that were found" onAgain={again} />
      <div class="found-tools">
        <Filter label="Filter things" placeholder="Text: nginx" value={q.value} onInput={(text) => narrow({ q: text || null })} />
        {own === null && <HostField label="Hosts" placeholder="Hosts: web-1 web-2" value={host.value} onTake={(text) => narrow({ host: text || null })} />}
        <select aria-label="State" value={state.value} onChange={(event) => narrow({ state: event.currentTarget.value || null })}>
          <option value="">to be decided</option>
          {STATES.map((one) => <option key={one}>{one}</option>)}
          <option value="all">all states</option>
        </select>
        <select aria-label="Kind" value={kind.value} onChange={(event) => narrow({ kind: event.currentTarget.value || null })}>
          <option value="">all kinds</option>
          {KINDS.map((one) => <option key={one}>{one}</option>)}
        </select>
        {isNarrowed && <Button small kind="quiet" onClick={() => narrow({ state: null, kind: null, q: null, host: null })}>Clear</Button>}
        {mayDecide && picked.length > 0 && (
          <span class="row" role="group" aria-label="What is chosen">
            <strong class="small">{count(picked.length, 'thing')} chosen</strong>
            {(['accept', 'ignore', 'archive'] as const).map((one) => <Button key={one} small onClick={() => act(one)}>{NAMES[one]}</Button>)}
            <Button small kind="quiet" onClick={() => (chosen.value = new Set())}>None</Button>
          </span>
        )}
      </div>
      {[...(one?.over ?? [])].map((over) => (
        <Notice key={over.host_id} tone="warning" title={<>{over.host} has too much:</>}>
          {count(over.count, 'thing')} beyond 500 {over.count === 1 ? 'is' : 'are'} not taken: <span class="any-word">{over.first.join(', ')}</span>. Ignore by a rule what nobody watches.
        </Notice>
      ))}
      {(next !== null || after.value !== '') && (
        <Notice tone="warning" title="Not all:">
          {count(items.length, 'thing')} of more are here. Choose a state, a kind or hosts{state.value !== '' && next !== null && ', or go on'}.{' '}
          {state.value !== '' && next !== null && <Button small onClick={() => setSearch({ after: next, open: null }, 'push')}>Next ones</Button>}{' '}
          {after.value !== '' && <Button small onClick={() => setSearch({ after: null, open: null }, 'push')}>First ones</Button>}
        </Notice>
      )}
      {!isKnown && (first.isAsking.value || second.isAsking.value) && <div class="wait" role="status" aria-label="Asking for what was found" />}
      {isKnown && rows.length === 0 && (
        <div class="card empty">
          <h2>{isNarrowed ? 'Nothing that was found fits' : 'Nothing is to be decided'}</h2>
          <p>{isNarrowed ? 'No thing has this text, state, kind and host.' : 'New units, ports, mounts, daemons, certificates and containers of hosts are proposed here within a minute; what was accepted and went stands above them.'}</p>
        </div>
      )}
      {rows.length > 0 && (
        <List rows={rows} active={active} chosen={mayDecide ? chosen : null} onAct={(decision, items) => act(decision, items)} onTurn={(id) => (opened.value = [...toggled(open, id)].filter(Boolean).join('\n'))} />
      )}
      {acting.value && <Decide {...acting.value} onClose={() => (acting.value = null)} onDone={() => { chosen.value = new Set(); again() }} />}
    </>
  )
}

const itemsOf = (row: FoundRow | undefined): readonly Item[] => (row?.kind === 'thing' ? row.thing.all : row?.kind === 'host' ? [row.item] : [])

interface ListProps {
  readonly rows: readonly FoundRow[]
  readonly active: Signal<number>
  /** null: nothing may be decided. */
  readonly chosen: Signal<ReadonlySet<string>> | null
  readonly onAct: (decision: Decision, items: readonly Item[]) => void
  readonly onTurn: (id: string) => void
}

function List({ rows, active, chosen, onAct, onTurn }: ListProps) {
  const width = useSignal(1200)
  const isWide = width.value >= WIDE_PX
  const heights = useMemo(() => varied(rows.map((row) => (row.kind === 'head' ? (row.of.state === 'gone' && !isWide ? 88 : 36) : row.kind === 'thing' ? (isWide ? 38 : 66) : isWide ? 30 : 50))), [rows, isWide])
  const isAll = (items: readonly Item[]): boolean => items.length > 0 && items.every((item) => chosen?.value.has(idOf(item)))
  const choose = (items: readonly Item[]): void => {
    if (!chosen) return
    const set = new Set(chosen.value)
    const was = isAll(items)
    for (const item of items) was ? set.delete(idOf(item)) : set.add(idOf(item))
    chosen.value = set
  }
  const box = (items: readonly Item[], name: string) => chosen && <input type="checkbox" tabIndex={-1} aria-label={`Choose ${name}`} checked={isAll(items)} onChange={() => choose(items)} />
  return (
    <VirtualRows
      label="What was found"
      class={`fills found${isWide ? '' : ' two'}`}
      heights={heights}
      active={active}
      keyOf={(at) => rows[at]?.key ?? String(at)}
      columns={6}
      onWidth={(now) => (width.value = now)}
      onOpen={(at) => {
        const row = rows[at]
        if (row?.kind === 'thing') onTurn(row.thing.id)
      }}
      isChosen={(at) => isAll(itemsOf(rows[at]))}
      onChoose={(at) => choose(itemsOf(rows[at]))}
      row={(at) => {
        const row = rows[at]
        if (!row) return null
        if (row.kind === 'head') {
          return (
            <div class="cells day" role="gridcell">
              <strong class="row"><StateMark state={row.of.state} /> {row.of.kind}</strong>
              <span class="small soft">
                {count(row.things, 'thing')}{row.items > row.things && `, ${row.items} with all hosts`}
                {row.of.state === 'gone' && ': checks stay and fail. Bring them back, or archive them and say why; after 7 days they are archived.'}
              </span>
            </div>
          )
        }
        if (row.kind === 'host') {
          const { item } = row
          return (
            <div class="cells below" role="presentation">
              <span role="gridcell">{box([item], `${item.words} on ${item.host}`)}</span>
              <span role="gridcell" class="cut"><Link to={to(['hosts', item.host], { tab: 'setup' })} title={item.host}>{item.host}</Link></span>
              <span role="gridcell" class="cut small soft" title={item.reason}>{whenOf(item)} by {item.by}{item.reason && `: ${item.reason}`}</span>
            </div>
          )
        }
        const { thing: { id, first, all }, isOpen } = row
        return (
          <div class="cells" role="presentation">
            <span role="gridcell">{box(all, `${first.state} ${first.words}`)}</span>
            <span role="gridcell" class="cut words" title={first.key}>
              <button type="button" class="fold" aria-expanded={isOpen} aria-label={`${isOpen ? 'Fold' : 'Unfold'} ${first.words}`} onClick={() => onTurn(id)}><Icon sign={isOpen ? 'down' : 'right'} size={12} /></button>
              {first.words} {first.is_flapping && <span class="badge tone-warning" title="It went more than 5 times in a day">comes and goes</span>}
            </span>
            <span role="gridcell" class="cut who">
              {all.length > 1 ? <strong title={all.map(({ host }) => host).join(' ')}>{count(all.length, 'host')}</strong> : <Link to={to(['hosts', first.host], { tab: 'setup' })} title={first.host}>{first.host}</Link>}
            </span>
            <span role="gridcell" class="cut small soft brings" title={bringsOf(first)}>{bringsOf(first) || 'no check'}</span>
            <span role="gridcell" class="small soft since" title={whenOf(first)}><Age ms={first.went_until_ms ?? first.since_ms} after=" ago" /></span>
            <span role="gridcell" class="row acts">
              {chosen && decisionsOf(first.state).map((one) => <Button key={one} small name={`${NAMES[one]} ${first.words}`} onClick={() => onAct(one, all)}>{NAMES[one]}</Button>)}
            </span>
          </div>
        )
      }}
    />
  )
}

/** Since when it is so: of what is gone, between which looks it went. */
function whenOf(item: Item) {
  return item.state === 'gone' && item.went_until_ms !== null ? `went ${betweenOf(item.went_after_ms ?? item.went_until_ms, item.went_until_ms, isUtc.value)}` : betweenSince(item.since_ms)
}
const betweenSince = (ms: number): string => `since ${dateTime(ms, isUtc.value)}`
