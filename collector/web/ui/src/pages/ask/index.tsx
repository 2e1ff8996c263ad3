// Ask: what hosts have now, asked of them while somebody waits. It costs every host work, so it is asked by a click alone.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { change } from '../../api/ask'
import type { Answer } from '../../api/answer'
import type { AskAnswer, AskedRow, AskTable } from '../../api/asking'
import { may } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import { HostField } from '../../inventory/HostField'
import { cellText, columnWidth, JUDGED } from '../../inventory/words'
import { Button, Copy, Lack, Link, Notice, TextField, VirtualTable, type Column } from '../../parts'
import { useHeading } from '../../shell/heading'
import { count } from '../../time/format'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { bodyOf, byReason, commandOf, isLimit, waitOf, type Question } from './question'
import './ask.css'

const EVERY_MS = 300_000
const [MOST_PX, GAP_PX] = [520, 12]
/** Of the hosts that are missing for one reason. */
const NAMED = 100

const table = param('table', 'processes')
const columns = param('columns')
const where = param('where')
const matchers = param('hosts')
const hosts = param('host')
const timeout = param('timeout')
const limit = param('limit')
const sort = param('sort')

export default function Ask() {
  useHeading('Ask')
  const tables = useAnswer<{ tables: readonly AskTable[] }>(() => [api('ask', 'tables')], { every: EVERY_MS })
  const known = useShown(tables).value?.tables
  const answer = useSignal<{ readonly of: string; readonly answer: Answer<AskAnswer> } | null>(null)
  const busy = useSignal(false)
  const question: Question = { table: table.value, columns: columns.value, where: where.value, matchers: matchers.value, hosts: hosts.value, timeout: timeout.value, limit: limit.value }
  const command = commandOf(question)
  const send = async (): Promise<void> => {
    busy.value = true
    const got = await change<AskAnswer>('POST', api('ask'), bodyOf(question), { limitMs: waitOf(question.timeout) })
    busy.value = false
    answer.value = { of: command, answer: got }
  }
  const shape = known?.find((one) => one.table === table.value)
  const last = answer.value
  return (
    <div class="page ask">
      <Lack answer={tables.answer.value} what="tables" onAgain={tables.again} />
      <form class="card pad stack" aria-label="Question" onSubmit={(event) => { event.preventDefault(); if (!busy.peek() && isLimit(limit.peek())) void send() }}>
        <div class="ask-fields">
          <div class="field">
            <span>Table</span>
            <select aria-label="Table" value={table.value} onChange={(event) => { table.value = event.currentTarget.value; columns.value = ''; sort.value = '' }}>
              {!shape && <option value={table.value}>{table.value}</option>}
              {known?.map((one) => <option key={one.table} value={one.table}>{one.table}{one.is_live && ' (live)'}</option>)}
            </select>
            <small class="any-word">{shape ? <>One row is {shape.one}: <span class="mono">{shape.columns.map(({ name }) => name).join(', ')}</span></> : known && 'Hosts are not asked for such a table.'}</small>
          </div>
          <TextField label="Columns" value={columns.value} onInput={(text) => (columns.value = text)} placeholder="all" note="In the order wanted: name, user" />
          <TextField label="Where" value={where.value} onInput={(text) => (where.value = text)} lines={2} placeholder="name = nginx" note="Conditions that must all hold, one a line; = != < <= > >= contains starts_with; times as now+30d" />
          <TextField label="Which hosts" value={matchers.value} onInput={(text) => (matchers.value = text)} lines={2} placeholder="role=web" note="Matchers over host and labels, one a line; without them and without names all" />
          <div class="field"><span>Hosts by name</span><HostField label="Hosts by name" placeholder="web-1 web-2" value={hosts.value} onTake={(text) => (hosts.value = text)} /></div>
          <div class="row">
            <TextField label="Time" value={timeout.value} onInput={(text) => (timeout.value = text)} placeholder="5s" note="At most 30s" />
            <TextField label="Rows" value={limit.value} onInput={(text) => (limit.value = text)} placeholder="1000" note="That differ" wrong={isLimit(limit.value) ? null : 'Write a number'} />
          </div>
        </div>
        <div class="row">
          <Button type="submit" kind="accent" disabled={busy.value || !may('ask') || !isLimit(limit.value)} {...(may('ask') ? {} : { title: 'It needs the scope ask' })}>{busy.value ? 'Hosts are asked ...' : 'Ask the hosts'}</Button>
          <Copy text={command} label="Copy as command" />
          <span class="small soft">It costs each host some work, and stands in the audit.</span>
        </div>
      </form>
      {busy.value && <div class="wait" role="status" aria-label="Hosts are asked" />}
      {last && last.of !== command && !busy.value && <Notice title="Of another question:"><code class="any-word">{last.of}</code></Notice>}
      {last && <Lack answer={last.answer} what="answer of hosts" />}
      {last?.answer.kind === 'data' && <Told told={last.answer.data} />}
    </div>
  )
}

function Told({ told }: { readonly told: AskAnswer }) {
  const rows = useMemo(() => told.rows.map((row, at) => ({ ...row, at })), [told])
  const shown = useMemo(
    () => told.columns.map((column, at): Column<AskedRow & { at: number }> & { px: number } => {
      const text = (row: AskedRow): string => cellText(row.values[at], column, isUtc.value)
      const px = columnWidth(column.name, told.rows.slice(0, JUDGED).map(text))
      return { name: column.name, title: column.name, width: `minmax(${px}px, 1fr)`, px, right: column.kind === 'integer', by: (row) => row.values[at] ?? '', cell: (row) => text(row) === '' ? <span class="soft">-</span> : <span title={text(row)}>{text(row)}</span> }
    }),
    [told],
  )
  const on: Column<AskedRow & { at: number }> = {
    name: 'on', title: 'Hosts', width: 'minmax(120px, 1fr)', by: (row) => row.on_hosts,
    cell: (row) => row.on_hosts === 1 ? <Link to={to(['hosts', row.hosts[0] ?? ''])}>{row.hosts[0]}</Link> : <span title={row.hosts.join(' ') + (row.on_hosts > row.hosts.length ? ' ...' : '')}>{count(row.on_hosts, 'host')}</span>,
  }
  const missing = byReason(told.missing)
  return (
    <>
      <p role="status">
        <strong>{told.answered} of {told.asked} answered</strong> <span class="soft">{count(rows.length, 'different row')} in {told.took_ms} ms</span>
      </p>
      {missing.map(({ why, problems, hosts: names }) => (
        <Notice key={why} tone="warning" title={`${count(names.length, 'host')} ${why.replaceAll('_', ' ')}:`}>
          <span class="any-word">{names.slice(0, NAMED).map((name) => <span key={name}><Link to={to(['hosts', name])}>{name}</Link> </span>)}{names.length > NAMED && `and ${names.length - NAMED} more `}<span class="soft">{problems.join('; ')}</span></span>
        </Notice>
      ))}
      {(told.left_out > 0 || told.dropped > 0) && <Notice tone="warning" title="Not all:">{told.left_out > 0 && `${count(told.left_out, 'different row')} beyond the limit. `}{told.dropped > 0 && `${count(told.dropped, 'row')} beyond the bounds of hosts. `}Ask for fewer by a condition.</Notice>}
      {told.notes.length > 0 && <Notice tone="warning" title="Could not be told:"><ul class="any-word">{told.notes.map(({ host, problem }, at) => <li key={at}>{host}: {problem}</li>)}</ul></Notice>}
      {rows.length > 0 ? (
        <VirtualTable label="Rows of hosts" rows={rows} columns={[on, ...shown]} keyOf={(row) => String(row.at)} rowHeight={30} sort={sort} most={MOST_PX} least={shown.reduce((sum, { px }) => sum + px + GAP_PX, 120 + 2 * GAP_PX)} />
      ) : (
        <div class="card empty"><h2>No row</h2><p>No host that has answered has such a row.</p></div>
      )}
    </>
  )
}
