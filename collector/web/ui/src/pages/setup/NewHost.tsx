// The form that makes an enrolment token.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { NewToken } from '../../api/types'
import { Button, Choice, DurationField, Failed, isDuration, Notice, Section, TextField, useDoing } from '../../parts'
import { api } from '../../url/link'
import { bodyOf, EMPTY, type Form } from './enrol'

export function NewHost({ onMade }: { readonly onMade: (made: NewToken) => void }) {
  const doing = useDoing()
  const form = useSignal<Form>(EMPTY)
  const wrong = useSignal('')
  const set = (more: Partial<Form>): void => {
    form.value = { ...form.value, ...more }
    wrong.value = ''
  }
  const { name, isPattern, uses, ttl, labels, replace, ephemeral } = form.value
  const make = async (): Promise<void> => {
    const body = bodyOf(form.value)
    if (typeof body === 'string') wrong.value = body
    else if (isDuration(ttl, false) && isDuration(ephemeral, true)) {
      const made = await doing.run(change<NewToken>('POST', api('tokens'), body))
      if (made) onMade(made)
    }
  }
  return (
    <Section title="A new host" note="A token lets it in; the command that follows does the rest">
      <form
        class="inside"
        onSubmit={(event) => {
          event.preventDefault()
          void make()
        }}
      >
        <div class="fields">
          <div class="field">
            <span>For</span>
            <div>
              <Choice label="For" value={isPattern ? 'many' : 'one'} choices={[['one', 'One host'], ['many', 'Several hosts']]} onChoose={(value) => set({ isPattern: value === 'many', uses: value === 'many' ? '10' : '1' })} />
            </div>
          </div>
          <TextField label={isPattern ? 'Names' : 'Name'} value={name} onInput={(text) => set({ name: text.trim() })} required placeholder={isPattern ? 'web-*' : 'web-1'} note={isPattern ? 'A * stands for any text' : 'As everything about it will be named'} autoComplete="off" />
          {isPattern && <TextField label="How many" type="number" value={uses} onInput={(text) => set({ uses: text })} required note="So many hosts may use it" />}
          <TextField label="Labels" value={labels} onInput={(text) => set({ labels: text })} placeholder="role=web env=prod" note="On all that it sends" wrong={wrong.value} autoComplete="off" />
          <DurationField label="Good for" value={ttl} onInput={(text) => set({ ttl: text })} offers={['1h', '1d', '7d']} />
        </div>
        <details>
          <summary>More</summary>
          <div class="fields">
            <label class="check-line">
              <input type="checkbox" checked={replace} onChange={(event) => set({ replace: event.currentTarget.checked })} />
              It may take the place of a host of the same name
            </label>
            <DurationField label="It retires by itself after a silence of" value={ephemeral} onInput={(text) => set({ ephemeral: text })} offers={['1h', '1d']} none="Never" />
          </div>
        </details>
        <Failed doing={doing} />
        {wrong.value && <Notice tone="warning">{wrong.value}.</Notice>}
        <div>
          <Button type="submit" kind="accent" disabled={doing.busy.value}>
            {doing.busy.value ? 'Working ...' : 'Make a token'}
          </Button>
        </div>
      </form>
    </Section>
  )
}
