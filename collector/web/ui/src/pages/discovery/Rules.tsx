// Rules that accept or ignore proposals by themselves: listed, tried, made and removed.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { DiscoveryRule, DiscoveryRules, Matched } from '../../api/discovery'
import { may } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import { KINDS } from '../../discovery/things'
import { Age, Button, Choice, Dialog, Failed, Field, Lack, Notice, Section, SmallTable, StateMark, TextField, useDoing } from '../../parts'
import { count } from '../../time/format'
import { api } from '../../url/link'

const EVERY_MS = 60_000
const RULES = ['discovery', 'rules'] as const
const lines = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter(Boolean)

export function Rules() {
  const asked = useAnswer<DiscoveryRules>(() => [api(...RULES)], { topic: 'discovery', every: EVERY_MS })
  const rules = useShown(asked).value?.rules
  const editing = useSignal<DiscoveryRule | 'new' | null>(null)
  const doing = useDoing()
  const mayChange = may('silence')
  const remove = async (name: string): Promise<void> => {
    if (await doing.run(change('DELETE', api(...RULES, name)), `Rule ${name} is removed; what it decided stays`)) asked.again()
  }
  const words = (one: readonly string[]) => <span class="mono small any-word">{one.join(', ') || 'any'}</span>
  return (
    <>
      <Lack answer={asked.answer.value} what="rules" onAgain={asked.again} />
      {!rules && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for rules" />}
      {rules && (
        <Section title="Rules" note="the first that matches, by name, decides" actions={mayChange && <Button small kind="accent" onClick={() => (editing.value = 'new')}>New rule ...</Button>}>
          <Failed doing={doing} />
          <SmallTable
            label="Rules"
            heads={[['Name'], ['Does'], ['Kind'], ['Items'], ['Hosts'], ['Made', 'wide'], [<span class="unseen">Actions</span>, 'right']]}
            rows={rules.map((rule) => ({
              key: `${rule.name} ${rule.source}`,
              cells: [
                <><strong title={rule.name}>{rule.name}</strong> {rule.is_hidden && <span class="badge tone-warning">hidden by a file</span>}</>,
                <StateMark state={rule.action === 'accept' ? 'accepted' : 'ignored'} />,
                rule.kind ?? 'any',
                words(rule.items),
                words(rule.hosts),
                <span class="soft any-word">{rule.source === 'file' ? `file ${rule.file}` : <><Age ms={rule.made_ms} after=" ago" /> by {rule.by}</>}</span>,
                mayChange && rule.source === 'api' && (
                  <span class="row ends">
                    <Button small name={`Change rule ${rule.name}`} onClick={() => (editing.value = rule)}>Change</Button>
                    <Button small kind="danger" name={`Remove rule ${rule.name}`} disabled={doing.busy.value} onClick={() => void remove(rule.name)}>Remove</Button>
                  </span>
                ),
              ],
            }))}
            none="No rule: everything that is found waits for somebody."
          />
        </Section>
      )}
      {editing.value && <Edit rule={editing.value === 'new' ? null : editing.value} onClose={() => (editing.value = null)} onDone={asked.again} />}
    </>
  )
}

function Edit({ rule, onClose, onDone }: { readonly rule: DiscoveryRule | null; readonly onClose: () => void; readonly onDone: () => void }) {
  const name = useSignal(rule?.name ?? '')
  const kind = useSignal<string>(rule?.kind ?? '')
  const items = useSignal((rule?.items ?? []).join('\n'))
  const hosts = useSignal((rule?.hosts ?? []).join('\n'))
  const action = useSignal<DiscoveryRule['action']>(rule?.action ?? 'accept')
  const matched = useSignal<Matched | null>(null)
  const doing = useDoing()
  const body = () => ({ kind: kind.value || null, items: lines(items.value), hosts: lines(hosts.value), action: action.value })
  const test = async (): Promise<void> => {
    matched.value = (await doing.run(change<{ matched: Matched }>('POST', api(...RULES, 'test'), body())))?.matched ?? null
  }
  const submit = async (): Promise<void> => {
    const done = await doing.run(change<{ matched: Matched }>('PUT', api(...RULES, name.value.trim()), body()), `Rule ${name.value.trim()} is in force`)
    if (!done) return
    onDone()
    onClose()
  }
  const put = (field: { value: string }) => (text: string): void => {
    field.value = text
    matched.value = null
  }
  const found = matched.value
  return (
    <Dialog title={rule ? <span class="any-word">Rule {rule.name}</span> : 'New rule'} onClose={onClose} submit="Set rule" onSubmit={submit} busy={doing.busy.value} ready={name.value.trim() !== ''}>
      {!rule && <TextField label="Name" value={name.value} onInput={(text) => (name.value = text)} required autoFocus note="Small letters, digits and .-_; rules are asked in the order of their names." />}
      <div class="row">
        <Choice label="What it does" value={action.value} choices={[['accept', 'Accept'], ['ignore', 'Ignore']]} onChoose={(value) => { action.value = value; matched.value = null }} />
        <Field label="Kind">
          {(ids) => (
            <select {...ids} value={kind.value} onChange={(event) => put(kind)(event.currentTarget.value)}>
              <option value="">any</option>
              {KINDS.map((one) => <option key={one}>{one}</option>)}
            </select>
          )}
        </Field>
      </div>
      <TextField label="Items" value={items.value} onInput={put(items)} lines={3} placeholder={'port=~"80|443"'} note="Matchers over key, kind and the fields of the kind, one a line; all must match." />
      <TextField label="Hosts" value={hosts.value} onInput={put(hosts)} lines={2} placeholder="role=web" note="Matchers over host and labels, one a line." />
      <div><Button small disabled={doing.busy.value} onClick={() => void test()}>Test it</Button></div>
      {found && (
        <Notice tone={found.items > 0 ? 'busy' : 'off'} title={`It would ${action.value} ${count(found.items, 'proposal')} on ${count(found.hosts, 'host')}.`}>
          <ul class="small any-word">
            {found.first.map((one) => <li key={`${one.host} ${one.key}`}>{one.words} on {one.host}</li>)}
            {found.items > found.first.length && <li>and {found.items - found.first.length} more</li>}
          </ul>
        </Notice>
      )}
      <Failed doing={doing} />
    </Dialog>
  )
}
