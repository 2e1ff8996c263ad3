// Audit: who changed what, the newest first; what was refused; and whether the record is whole.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Audit as Answered, AuditRow } from '../../api/types'
import { may, me } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Choice, Copy, Filter, Lack, Moment, Notice, ShapeIcon, VirtualTable, type Column } from '../../parts'
import { useHeading } from '../../shell/heading'
import { now } from '../../time/clock'
import { count, fromInput, toInput } from '../../time/format'
import { api } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { Detail } from './Detail'
import { commandOf, LIMIT, momentOf, readTrail, shownRows, valuesOf, withSpaces, type Wanted } from './rows'
import { Verify } from './Verify'
import './audit.css'

const EVERY_MS = 10_000
const AGES = [['', 'All'], ['1h', '1 h'], ['1d', '1 d'], ['7d', '7 d'], ['30d', '30 d']] as const

const q = param('q')
const who = param('who')
const action = param('action')
const object = param('object')
const result = param('result')
/** The time that is looked at goes along to other pages, and comes from them. */
const since = param('since')
const until = param('until')
const before = param('before')
/** The pages before this one, newest first. */
const trail = param('pages')
const at = param('at')

/** As rows are asked for: the minute's beginning, so that the question stays the same for a while. */
function askedOf(text: string): number | null {
  const ms = momentOf(text, now())
  return ms === null ? null : Math.floor(ms / 60_000) * 60_000
}

const columns: readonly Column<AuditRow>[] = [
  { name: 'time', title: 'When', width: '96px', cell: (row) => <Moment ms={row.ms} short /> },
  { name: 'by', title: 'Who', width: 'minmax(80px, 150px)', cell: (row) => row.by },
  {
    name: 'result',
    title: 'Result',
    width: '84px',
    cell: (row) =>
      row.result === 'refused' ? (
        <span class="mark tone-critical">
          <ShapeIcon shape="octagon" />
          Refused
        </span>
      ) : (
        <span class="soft">Done</span>
      ),
    from: 500,
  },
  { name: 'action', title: 'Action', width: 'minmax(110px, 170px)', cell: (row) => withSpaces(row.action), from: 900 },
  {
    name: 'text',
    title: 'What',
    width: 'minmax(110px, 1fr)',
    cell: (row) => (
      <span title={row.text}>
        {row.result === 'refused' && (
          <span class="narrow tone-critical">
            <ShapeIcon shape="octagon" size={12} /> <span class="unseen">Refused: </span>
          </span>
        )}
        {row.text || `${withSpaces(row.action)} ${row.object}`}
      </span>
    ),
  },
  { name: 'source', title: 'From', width: '120px', cell: (row) => <span class="mono soft">{row.source}</span>, from: 1000 },
  { name: 'seq', title: 'Row', width: '64px', right: true, cell: (row) => <span class="soft">{row.seq}</span>, from: 640 },
]

export default function Audit() {
  useHeading('Audit')
  const wanted: Wanted = { text: q.value, who: who.value, action: action.value, object: object.value, result: result.value, since: since.value, until: until.value }
  const asked = useAnswer<Answered>(
    () => {
      if (!may('admin')) return null
      const only = { by: who.value || null, action: action.value || null, object: object.value || null, result: result.value || null }
      return [api('audit'), { limit: LIMIT, before: Number(before.value) || null, from_ms: askedOf(since.value), to_ms: momentOf(until.value, now()), ...only }]
    },
    { every: EVERY_MS },
  )
  const known = useShown(asked).value
  const rows = known?.rows ?? []
  const shown = shownRows(rows, wanted, now())
  const detail = at.value ? rows.find((row) => String(row.seq) === at.value) : undefined
  const trailed = readTrail(trail.value)
  const isFirst = before.value === ''
  const older = (): void => {
    if (known?.next != null) setSearch({ before: String(known.next), pages: isFirst ? null : [before.value, ...trailed].join(',') }, 'push')
  }
  const newer = (): void => setSearch({ before: trailed[0] === undefined ? null : String(trailed[0]), pages: trailed.slice(1).join(',') || null }, 'push')
  const narrow = (changes: Readonly<Record<string, string>>): void => setSearch({ before: null, pages: null, ...Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, value || null])) }, 'replace')
  const wrong = [since.value, until.value].find((text) => text !== '' && momentOf(text, now()) === null)
  const isNarrowed = Object.values(wanted).some((value) => value !== '')
  if (me.value && !may('admin')) return <div class="page"><Notice tone="warning" title="The audit is shown to administrators:">your role may look at the rest.</Notice></div>
  return (
    <div class="page fill audit">
      <Lack answer={asked.answer.value} what="rows" onAgain={asked.again} />
      <Verify />
      <div class="row filters">
        <Filter label="Filter" placeholder="Filter these rows: bob revoked" value={q.value} onInput={(text) => (q.value = text)} />
        <Pick label="Who" any="everybody" value={who.value} values={valuesOf(rows, 'by', who.value)} onPick={(value) => narrow({ who: value })} />
        <Pick label="Action" any="any action" value={action.value} values={valuesOf(rows, 'action', action.value)} onPick={(value) => narrow({ action: value })} />
        <ObjectField />
        <Choice label="Since" value={since.value} choices={AGES.some(([value]) => value === since.value) ? AGES : [...AGES, [since.value, since.value]]} onChoose={(value) => narrow({ since: value, from: '', to: '' })} />
        <label class="row small">
          <span class="soft">Until</span>
          <input type="datetime-local" value={until.value && momentOf(until.value, now()) !== null ? toInput(momentOf(until.value, now()) ?? 0, isUtc.value) : ''} onChange={(event) => { const ms = fromInput(event.currentTarget.value, isUtc.value); narrow({ until: ms === null ? '' : new Date(ms).toISOString().replace('.000', '') }) }} />
        </label>
        <Choice label="Result" value={result.value} choices={[['', 'All results'], ['done', 'Done'], ['refused', 'Refused']]} onChoose={(value) => narrow({ result: value })} />
        {isNarrowed && <Button small kind="quiet" onClick={() => narrow({ q: '', who: '', action: '', object: '', since: '', until: '', result: '' })}>Clear</Button>}
      </div>
      {wrong !== undefined && <Notice tone="warning">`{wrong}` is no time: write such as 7d or 2026-11-29T14:00:00Z.</Notice>}
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for rows" />}
      {shown.length > 0 && <VirtualTable class="fills" label="Audit" rows={shown} columns={columns} keyOf={(row) => String(row.seq)} onOpen={(row) => at.push(String(row.seq))} />}
      {known && shown.length === 0 && (
        <div class="card empty">
          <h2>{rows.length === 0 && !isNarrowed ? 'Nothing was changed' : 'None of these rows fits'}</h2>
          <p>{rows.length === 0 && !isNarrowed ? 'Every change, and every one that was refused, stands here with who made it.' : `${count(rows.length, 'row')} of this page ${rows.length === 1 ? 'does' : 'do'} not fit the filter${known.next === null ? ', and there are no older ones.' : '; older pages may have some.'}`}</p>
        </div>
      )}
      {known && (
        <div class="row paging">
          <span class="soft small">
            {shown.length === rows.length ? count(rows.length, 'row') : `${shown.length} of ${count(rows.length, 'row')}`}
            {rows.length > 0 && `: ${rows[0]?.seq} to ${rows.at(-1)?.seq}`}
          </span>
          <span class="row ends">
            <Copy text={commandOf(wanted, LIMIT)} label="Copy as command" />
            <Button small disabled={isFirst} onClick={newer}>
              Newer
            </Button>
            <Button small disabled={known.next === null} onClick={older}>
              Older
            </Button>
          </span>
        </div>
      )}
      {detail && <Detail row={detail} onClose={() => (at.value = '')} />}
    </div>
  )
}

/** The whole name: taken over when it is written, not letter by letter. */
function ObjectField() {
  const draft = useSignal(object.peek())
  useEffect(() => {
    draft.value = object.value
  }, [object.value])
  const take = (): void => {
    if (draft.value.trim() !== object.value) setSearch({ object: draft.value.trim() || null, before: null, pages: null }, 'replace')
  }
  return <input aria-label="Object" class="object" placeholder="any object" title="Its whole name, then Enter" value={draft.value} onInput={(event) => (draft.value = event.currentTarget.value)} onBlur={take} onKeyDown={(event) => { if (event.key === 'Enter') take() }} />
}

function Pick({ label, any, value, values, onPick }: { readonly label: string; readonly any: string; readonly value: string; readonly values: readonly string[]; readonly onPick: (value: string) => void }) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onPick(event.currentTarget.value)}>
      <option value="">{any}</option>
      {values.map((one) => (
        <option key={one} value={one}>
          {withSpaces(one)}
        </option>
      ))}
    </select>
  )
}
