// Drift: what hosts that ought to be alike have otherwise, and the baselines that are pinned.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { Baseline, Drift, DriftGroup, DriftTable, TableShape } from '../../api/inventory'
import { may } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import { ChangeMark } from '../../inventory/ChangeMark'
import { HostField } from '../../inventory/HostField'
import { keyText, saidValue } from '../../inventory/words'
import { Age, Button, Dialog, Failed, Filter, Lack, Link, Notice, Section, SmallTable, TextField, useDoing } from '../../parts'
import { count } from '../../time/format'
import { api, to } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { alike, worstFirst } from './drift'

/** It takes a core of the collector for as long as a second. */
const EVERY_MS = 300_000
const HOSTS_SHOWN = 8

const group = param('group')
const table = param('table')
const host = param('host')
const baseline = param('baseline')
const own = param('own')
const narrow = (changes: Readonly<Record<string, string | null>>): void => setSearch(changes, 'push')

export function DriftView({ shapes }: { readonly shapes: readonly TableShape[] }) {
  const asked = useAnswer<Drift>(() => [api('inventory', 'drift'), { group: baseline.value ? [] : group.value.split(/[\s,]+/).filter(Boolean), table: table.value || null, host: host.value || null, baseline: baseline.value || null, own: own.value === '1' || null }], { every: EVERY_MS })
  const pinned = useAnswer<{ baselines: readonly Baseline[] }>(() => [api('inventory', 'baselines')], { every: EVERY_MS })
  const [known, baselines] = [useShown(asked).value, useShown(pinned).value?.baselines]
  const draft = useSignal(group.value)
  return (
    <>
      <div class="changes-tools">
        <select aria-label="Against" value={baseline.value} onChange={(event) => narrow({ baseline: event.currentTarget.value || null, group: null })}>
          <option value="">most of the group</option>
          {baselines?.map(({ name }) => <option key={name} value={name}>baseline {name}</option>)}
        </select>
        {!baseline.value && <Filter label="Groups by labels" placeholder="Groups by labels: role env" value={draft.value} onInput={(text) => (draft.value = text)} onEnter={() => narrow({ group: draft.value.trim() || null })} />}
        <HostField label="Host" placeholder="Host: web-1" value={host.value} onTake={(text) => narrow({ host: text.split(' ')[0] || null })} />
        <select aria-label="Table" value={table.value} onChange={(event) => narrow({ table: event.currentTarget.value || null })}>
          <option value="">all tables</option>
          {shapes.filter(({ table }) => table !== 'hosts' && table !== 'changes').map(({ table }) => <option key={table}>{table}</option>)}
        </select>
        <Button small pressed={own.value === '1'} title="Rows of which most hosts have some of their own" onClick={() => narrow({ own: own.value === '1' ? null : '1' })}>Own rows too</Button>
      </div>
      <Lack answer={asked.answer.value} what="drift" onAgain={asked.again} />
      <Lack answer={pinned.answer.value} what="baselines" onAgain={pinned.again} />
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for drift" />}
      {known && known.groups.length === 0 && <div class="card empty"><h2>No group to look at</h2><p>Groups have the same values of {group.value ? 'these labels' : 'all labels'} and at least {count(known.hosts_min, 'host')}; {count(known.alone, 'host')} {known.alone === 1 ? 'is' : 'are'} in smaller ones.</p></div>}
      {known && worstFirst(known.groups).map((one) => <Group key={one.name} group={one} />)}
      {known && known.groups.length > 0 && known.alone > 0 && <p class="small soft">{count(known.alone, 'host')} in groups of less than {known.hosts_min}.</p>}
      {baselines && <Baselines baselines={baselines} onDone={() => { pinned.again(); asked.again() }} />}
    </>
  )
}

function Group({ group: one }: { readonly group: DriftGroup }) {
  return (
    <Section title={<span class="any-word">{one.name || 'all hosts'}</span>} note={one.rows === 0 ? `${count(one.hosts, 'host')}, all alike` : `${count(one.rows, 'row')} otherwise on ${one.by_host.length} of ${count(one.hosts, 'host')}`}>
      {one.rows > 0 && (
        <div class="inside">
          <p class="small any-word">
            {one.by_host.slice(0, HOSTS_SHOWN).map(({ host: name, rows }) => <span key={name}><Link to={to(['hosts', name], { tab: 'inventory' })}>{name}</Link> {rows} </span>)}
            {one.by_host.length > HOSTS_SHOWN && <span class="soft">and {one.by_host.length - HOSTS_SHOWN} more</span>}
          </p>
          {one.left_out > 0 && <Notice tone="warning" title="Not all:">{count(one.left_out, 'row')} more; choose a table or a host.</Notice>}
          {one.tables.map((shape) => <Differing key={shape.table} shape={shape} />)}
        </div>
      )}
    </Section>
  )
}

function Differing({ shape }: { readonly shape: DriftTable }) {
  const utc = isUtc.value
  return (
    <>
      <h3 class="any-word">{shape.table} <span class="soft small">{count(shape.rows, 'row')}{shape.own > 0 && `; ${shape.own} of their own left out`}</span></h3>
      <SmallTable
        label={`Drift of ${shape.table}`}
        heads={[['What'], ['Expected', 'wide'], ['Otherwise'], ['Hosts']]}
        rows={shape.drift.flatMap((key, at) => alike(shape, key, utc).map(({ words, kind, hosts }) => ({
          key: `${at} ${words}`,
          cells: [
            <span class="any-word">{keyText(key.key, shape)}</span>,
            <span class="soft any-word">{key.expected === null ? 'none' : shape.columns.flatMap((column, place) => (place < shape.keys || key.expected?.[place] == null ? [] : [`${column.name} ${saidValue(key.expected[place], column, utc)}`])).join(', ')}</span>,
            <span class="any-word"><ChangeMark kind={kind} short /> {words}</span>,
            <span class="any-word" title={hosts.join(' ')}>{hosts.slice(0, HOSTS_SHOWN).join(' ')}{hosts.length > HOSTS_SHOWN && ` and ${hosts.length - HOSTS_SHOWN} more`}</span>,
          ],
        })))}
        none="Nothing of it is shown."
      />
    </>
  )
}

function Baselines({ baselines, onDone }: { readonly baselines: readonly Baseline[]; readonly onDone: () => void }) {
  const isPinning = useSignal(false)
  const doing = useDoing()
  const unpin = async (name: string): Promise<void> => {
    if (!(await doing.run(change('DELETE', api('inventory', 'baselines', name)), `Baseline ${name} is dropped`))) return
    if (baseline.peek() === name) narrow({ baseline: null })
    onDone()
  }
  return (
    <Section title="Baselines" note="what was pinned as right" actions={may('silence') && <Button small kind="accent" onClick={() => (isPinning.value = true)}>Pin ...</Button>}>
      <Failed doing={doing} />
      <SmallTable
        label="Baselines"
        heads={[['Name'], ['Of hosts'], ['Rows', 'right'], ['Pinned', 'wide'], [<span class="unseen">Actions</span>, 'right']]}
        rows={baselines.map((one) => ({
          key: one.name,
          cells: [
            <Link to={to(['inventory'], { view: 'drift', baseline: one.name })} class="any-word">{one.name}</Link>,
            <span class="mono small any-word">{one.matchers.join(', ')}</span>,
            one.rows.toLocaleString('en-GB'),
            <span class="soft any-word"><Age ms={one.made_ms} after=" ago" /> by {one.by}, {one.host === null ? 'as most had it' : `as ${one.host} had it`}</span>,
            may('silence') && <Button small kind="danger" name={`Drop baseline ${one.name}`} disabled={doing.busy.value} onClick={() => void unpin(one.name)}>Drop</Button>,
          ],
        }))}
        none="None: hosts are compared with most of their group."
      />
      {isPinning.value && <Pin onClose={() => (isPinning.value = false)} onDone={onDone} />}
    </Section>
  )
}

function Pin({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: () => void }) {
  const [name, matchers, of, tables] = [useSignal(''), useSignal(''), useSignal(''), useSignal('')]
  const doing = useDoing()
  const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean)
  const submit = async (): Promise<void> => {
    const body = { host: of.value.trim() || null, ...(matchers.value.trim() ? { matchers: matchers.value.split('\n').filter((line) => line.trim()) } : {}), ...(tables.value.trim() ? { tables: words(tables.value) } : {}) }
    if (!(await doing.run(change('PUT', api('inventory', 'baselines', name.value.trim()), body), `Baseline ${name.value.trim()} is pinned`))) return
    onDone()
    onClose()
  }
  return (
    <Dialog title="Pin what hosts have now" onClose={onClose} submit="Pin" onSubmit={submit} busy={doing.busy.value} ready={name.value.trim() !== ''}>
      <TextField label="Name" value={name.value} onInput={(text) => (name.value = text)} required autoFocus note="One that is there is given instead. Without matchers it is of the host of this name." />
      <TextField label="Of hosts" value={matchers.value} onInput={(text) => (matchers.value = text)} lines={2} placeholder="role=web" note="Matchers over host and labels, one a line." />
      <TextField label="As this host has it" value={of.value} onInput={(text) => (of.value = text)} note="Empty: as most of them have it." />
      <TextField label="Tables" value={tables.value} onInput={(text) => (tables.value = text)} placeholder="packages, sysctl" note="Empty: all that hosts can have alike." />
      <Failed doing={doing} />
    </Dialog>
  )
}
