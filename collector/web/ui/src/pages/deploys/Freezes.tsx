// Freezes: what is frozen now and who lifted it, all of them, and a new one.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { Freeze, FreezeList, Service } from '../../api/deploys'
import { may } from '../../api/me'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Dialog, DurationField, Failed, isDuration, Lack, Moment, ReasonDialog, Section, SmallTable, StateMark, TextField, useDoing } from '../../parts'
import { now } from '../../time/clock'
import { fromInput, parseDuration, toInput } from '../../time/format'
import { api } from '../../url/link'
import { isUtc } from '../../url/range'
import { parseRecurrence } from '../calendar/recurrence'

const EVERY_MS = 60_000

export function Freezes({ services, onDone }: { readonly services: readonly Service[]; readonly onDone: () => void }) {
  const asked = useAnswer<FreezeList>(() => [api('freezes')], { topic: 'deploys', every: EVERY_MS })
  const known = useShown(asked).value?.freezes
  const isNew = useSignal(false)
  const ending = useSignal<Freeze | null>(null)
  const lifting = useSignal<{ readonly service: string; readonly env: string } | null>(null)
  const again = (): void => {
    asked.again()
    onDone()
  }
  const frozen = services.flatMap((service) => service.environments.flatMap((at) => (at.frozen ? [{ service: service.name, env: at.env, ...at.frozen }] : [])))
  return (
    <>
      <Lack answer={asked.answer.value} what="freezes" onAgain={asked.again} />
      <Section title="Frozen now">
        <SmallTable
          label="Frozen now"
          heads={[['Service'], ['Environment'], ['By'], ['Until'], ['Lifted'], [<span class="unseen">Lift</span>, 'right']]}
          rows={frozen.map((one) => ({
            key: `${one.service} ${one.env}`,
            cells: [
              <span class="any-word">{one.service}</span>,
              <span class="any-word">{one.env}</span>,
              <span class="any-word" title={one.freeze.reason}>{one.freeze.id}</span>,
              one.until_ms === null ? 'for good' : <Moment ms={one.until_ms} short />,
              one.override ? <span class="any-word">by {one.override.by} until <Moment ms={one.override.until_ms} short />: {one.override.reason}</span> : 'no',
              may('silence') && !one.override && <Button small kind="danger" name={`Lift for ${one.service} in ${one.env}`} onClick={() => (lifting.value = { service: one.service, env: one.env })}>Lift ...</Button>,
            ],
          }))}
          none="Nothing is frozen now."
        />
      </Section>
      <Section title="All freezes" actions={may('silence') && <Button small kind="accent" onClick={() => (isNew.value = true)}>New freeze ...</Button>}>
        {known && (
          <SmallTable
            label="All freezes"
            heads={[['Freeze'], ['Is'], ['Of'], ['When'], ['Why', 'wide'], ['By', 'wide'], [<span class="unseen">End</span>, 'right']]}
            rows={known.map((one) => ({
              key: `${one.source} ${one.id}`,
              cells: [
                <strong title={one.id}>{one.id}</strong>,
                <>
                  <StateMark state={one.is_on ? 'on' : 'off'} /> {one.next_ms !== null && <span class="small soft">{one.is_on ? 'ends' : 'begins'} <Age ms={one.next_ms} /></span>}
                </>,
                <span class="mono small any-word">{one.matchers.join(' ') || 'everything'}</span>,
                <span class="any-word">
                  {one.every && <>{one.every} {one.zone} </>}
                  {one.from_ms !== null && <>from <Moment ms={one.from_ms} short /> </>}
                  {one.to_ms !== null && <>to <Moment ms={one.to_ms} short /></>}
                </span>,
                <span class="any-word">{one.reason}</span>,
                <span class="any-word">{one.source === 'file' ? `file ${one.file ?? ''}` : one.by}</span>,
                may('silence') && one.source === 'api' && <Button small kind="danger" name={`End freeze ${one.id}`} onClick={() => (ending.value = one)}>End ...</Button>,
              ],
            }))}
            none="No freeze: deploys may go out at any time."
          />
        )}
      </Section>
      {isNew.value && <New onClose={() => (isNew.value = false)} onDone={again} />}
      {ending.value && <End freeze={ending.value} onClose={() => (ending.value = null)} onDone={again} />}
      {lifting.value && <Lift {...lifting.value} onClose={() => (lifting.value = null)} onDone={again} />}
    </>
  )
}

interface DialogProps {
  readonly onClose: () => void
  readonly onDone: () => void
}

function End({ freeze, onClose, onDone }: DialogProps & { readonly freeze: Freeze }) {
  const doing = useDoing()
  const submit = async (): Promise<void> => {
    if ((await doing.run(change('DELETE', api('freezes', freeze.id)), 'The freeze has ended')) === undefined) return
    onDone()
    onClose()
  }
  return (
    <Dialog title={<span class="any-word">End freeze {freeze.id}</span>} onClose={onClose} submit="End it" onSubmit={submit} danger busy={doing.busy.value}>
      <p class="any-word">{freeze.reason}</p>
      <Failed doing={doing} />
    </Dialog>
  )
}

function Lift({ service, env, onClose, onDone }: DialogProps & { readonly service: string; readonly env: string }) {
  const lasts = useSignal('1h')
  return (
    <ReasonDialog title={`Lift the freeze for ${service} in ${env}`} submit="Lift it" said="The freeze is lifted" danger required ready={isDuration(lasts.value, false)} send={(reason) => change('POST', api('freezes', 'override'), { service, env, reason, for: lasts.value })} onClose={onClose} onDone={onDone}>
      <DurationField label="For" value={lasts.value} onInput={(text) => (lasts.value = text)} offers={['30m', '1h', '4h']} />
    </ReasonDialog>
  )
}

function New({ onClose, onDone }: DialogProps) {
  const utc = isUtc.value
  const matchers = useSignal('')
  const [from, to] = [useSignal(toInput(now(), utc)), useSignal(toInput(now() + (parseDuration('1d') ?? 0), utc))]
  const [every, zone] = [useSignal(''), useSignal(utc ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone)]
  const [first] = [useSignal(from.peek())]
  const recurrence = every.value.trim() ? parseRecurrence(every.value, zone.value) : null
  const bad = typeof recurrence === 'string' ? recurrence : null
  const [begins, ends] = [fromInput(from.value, utc), fromInput(to.value, utc)]
  const badEnd = to.value === '' && recurrence ? null : ends === null || (begins ?? now()) >= ends ? 'It ends before it begins' : null
  const lines = matchers.value.split('\n').map((line) => line.trim()).filter(Boolean)
  return (
    <ReasonDialog
      title="New freeze"
      submit="Freeze"
      said="It is frozen"
      required
      ready={lines.length > 0 && !bad && !badEnd}
      send={(reason) =>
        // As it was when the form came up means now: seconds are not shown.
        change('POST', api('freezes'), { matchers: lines, reason, from_ms: from.value === first.value ? null : begins, to_ms: to.value === '' ? null : ends, ...(recurrence ? { every: every.value.trim(), zone: zone.value } : {}) })
      }
      onClose={onClose}
      onDone={onDone}
    >
      <TextField label="Matchers" value={matchers.value} onInput={(text) => (matchers.value = text)} lines={2} placeholder="env=production" note="Over env and service; one a line, all must match" autoFocus />
      <TextField label={`From (${utc ? 'UTC' : 'local'})`} type="datetime-local" value={from.value} onInput={(text) => (from.value = text)} />
      <TextField label={`To (${utc ? 'UTC' : 'local'})`} type="datetime-local" value={to.value} onInput={(text) => (to.value = text)} wrong={badEnd} note="One that comes again may go on for good: leave it empty" />
      <TextField label="Comes again" value={every.value} onInput={(text) => (every.value = text)} placeholder="fri 16:00-00:00" wrong={bad} note="Empty: the whole time" />
      <TextField label="Zone" value={zone.value} onInput={(text) => (zone.value = text)} note="By whose clocks" />
    </ReasonDialog>
  )
}
