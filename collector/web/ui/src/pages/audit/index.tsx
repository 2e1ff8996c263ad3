// Audit: who changed what, the newest first; what was refused; and whether the record is whole.
import type { Audit as Answered, AuditRow } from '../../api/types'
import { may, me } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Choice, Filter, Lack, Moment, Notice, ShapeIcon, VirtualTable, type Column } from '../../parts'
import { useHeading } from '../../shell/heading'
import { now } from '../../time/clock'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { Detail } from './Detail'
import { LIMIT, names, readTrail, shownRows, words } from './rows'
import { Verify } from './Verify'
import './audit.css'

const EVERY_MS = 10_000
const DAY_MS = 86_400_000
const AGES = { '': 'All', '1': '1 d', '7': '7 d', '30': '30 d' } as const

const q = param('q')
const by = param('by')
const days = param('days')
const result = param('result')
const before = param('before')
/** The pages before this one, newest first. */
const trail = param('pages')
const at = param('at')

/** Rows are as old as they were when somebody chose so: the minute's beginning, so that the question stays the same for a while. */
const from = (days: string): number | null => (Number(days) > 0 ? Math.floor((now() - Number(days) * DAY_MS) / 60_000) * 60_000 : null)

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
  { name: 'action', title: 'Action', width: 'minmax(110px, 170px)', cell: (row) => words(row.action), from: 900 },
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
        {row.text || `${words(row.action)} ${row.object}`}
      </span>
    ),
  },
  { name: 'source', title: 'From', width: '120px', cell: (row) => <span class="mono soft">{row.source}</span>, from: 1000 },
  { name: 'seq', title: 'Row', width: '64px', right: true, cell: (row) => <span class="soft">{row.seq}</span>, from: 640 },
]

export default function Audit() {
  useHeading('Audit')
  const asked = useAnswer<Answered>(
    () =>
      may('admin')
        ? [api('audit'), { limit: LIMIT, by: by.value || null, from_ms: from(days.value), before: Number(before.value) || null }]
        : null,
    { every: EVERY_MS },
  )
  const known = useShown(asked).value
  const rows = known?.rows ?? []
  const shown = shownRows(rows, q.value, result.value)
  const detail = at.value ? rows.find((row) => String(row.seq) === at.value) : undefined
  const trailed = readTrail(trail.value)
  const isFirst = before.value === ''
  const older = (): void => {
    if (known?.next != null) setSearch({ before: String(known.next), pages: isFirst ? null : [before.value, ...trailed].join(',') }, 'push')
  }
  const newer = (): void => setSearch({ before: trailed[0] === undefined ? null : String(trailed[0]), pages: trailed.slice(1).join(',') || null }, 'push')
  const narrow = (name: 'by' | 'days', value: string): void => setSearch({ [name]: value || null, before: null, pages: null }, 'replace')
  if (me.value && !may('admin')) return <div class="page"><Notice tone="warning" title="The audit is shown to administrators:">your role may look at the rest.</Notice></div>
  return (
    <div class="page fill audit">
      <Lack answer={asked.answer.value} what="rows" onAgain={asked.again} />
      <Verify />
      <div class="row">
        <Filter label="Filter" placeholder="Filter these rows: bob revoked" value={q.value} onInput={(text) => (q.value = text)} />
        <label class="row small">
          <span class="soft">By</span>
          <select value={by.value} onChange={(event) => narrow('by', event.currentTarget.value)}>
            <option value="">everybody</option>
            {[...new Set([...names(rows), by.value])].filter(Boolean).map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Choice label="How old at most" value={days.value} choices={Object.entries(AGES)} onChoose={(value) => narrow('days', value)} />
        <Choice label="Result" value={result.value} choices={[['', 'All results'], ['refused', 'Refused']]} onChoose={(value) => (result.value = value)} />
      </div>
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for rows" />}
      {shown.length > 0 && <VirtualTable class="fills" label="Audit" rows={shown} columns={columns} keyOf={(row) => String(row.seq)} onOpen={(row) => at.push(String(row.seq))} />}
      {known && shown.length === 0 && (
        <div class="card empty">
          <h2>{rows.length === 0 ? 'Nothing was changed' : 'None of these rows fits'}</h2>
          <p>{rows.length === 0 ? 'Every change, and every one that was refused, stands here with who made it.' : `${count(rows.length, 'row')} of this page do not fit the filter; older pages may have some.`}</p>
        </div>
      )}
      {known && (
        <div class="row paging">
          <span class="soft small">
            {shown.length === rows.length ? count(rows.length, 'row') : `${shown.length} of ${count(rows.length, 'row')}`}
            {rows.length > 0 && `: ${rows[0]?.seq} to ${rows.at(-1)?.seq}`}
          </span>
          <span class="row ends">
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
