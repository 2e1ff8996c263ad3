// A host's life cycle: what an administrator may do with it, each in a dialog that says what comes of it.
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { change } from '../../api/ask'
import type { Host } from '../../api/types'
import { Dialog, Notice, say, TextField } from '../../parts'
import { api } from '../../url/link'
import { labelChanges, labelLines } from './labels'
import { moveTo } from './moved'

export type LifeStep = 'approve' | 'rename' | 'labels' | 'replace' | 'retire'

export interface LifeProps {
  readonly host: Host
  readonly step: LifeStep
  readonly onClose: () => void
  readonly onDone: () => void
}

const TITLES: Readonly<Record<LifeStep, string>> = { approve: 'Let in', rename: 'Rename', labels: 'Labels of', replace: 'Replace', retire: 'Retire' }
const SUBMITS: Readonly<Record<LifeStep, string>> = { approve: 'Let it in', rename: 'Rename', labels: 'Set labels', replace: 'Replace the machine', retire: 'Retire for good' }

/** Which steps a host can take now. */
export function stepsOf(host: Host): LifeStep[] {
  if (host.state === 'pending') return ['approve', 'replace', 'retire']
  return host.state === 'active' ? ['rename', 'labels', 'replace', 'retire'] : []
}

export function nameOf(step: LifeStep): string {
  return step === 'labels' ? 'Labels ...' : `${TITLES[step]} ...`
}

export function Life({ host, step, onClose, onDone }: LifeProps) {
  const name = useSignal(host.name)
  const labels = useSignal(labelLines(host.labels))
  const reason = useSignal('')
  const busy = useSignal(false)
  const failed = useSignal<string | null>(null)
  const changes = labelChanges(host.labels, labels.value)

  const bodyOf = (): unknown => {
    if (step === 'rename') return { name: name.value.trim() }
    if (step === 'labels') return { set: changes.set, remove: changes.remove }
    if (step === 'retire') return { reason: reason.value.trim() || null }
    if (step === 'approve') return { name: name.value.trim() === host.name ? null : name.value.trim(), labels: changes.all }
    return {}
  }
  const submit = async (): Promise<void> => {
    if (changes.wrong && (step === 'labels' || step === 'approve')) return
    busy.value = true
    const answer = await change<{ host: Host }>('POST', step === 'replace' ? api('hosts', host.name, step) : api('hosts', host.id, step), bodyOf())
    busy.value = false
    if (answer.kind !== 'data') {
      failed.value = `${answer.message}${answer.remedy ? ` (${answer.remedy})` : ''}`
      return
    }
    const now = answer.data.host
    say(step === 'retire' ? `${host.name} is retired` : step === 'rename' ? `It is called ${now.name} now` : step === 'approve' ? `${now.name} is let in` : step === 'labels' ? `${host.name} has other labels` : `The new machine is ${host.name} now`)
    onClose()
    // Who took another's place is that one now.
    if (now.name !== host.name || now.id !== host.id) moveTo(now.name)
    onDone()
  }
  const texts: Readonly<Record<LifeStep, ComponentChildren>> = {
    approve: (
      <>
        <p>It asked from {host.peer}. {host.reason && <span class="soft">It waits because: {host.reason}.</span>}</p>
        <TextField label="Name" value={name.value} onInput={(text) => (name.value = text)} required autoFocus />
        <Lines value={labels.value} wrong={changes.wrong} onInput={(text) => (labels.value = text)} />
      </>
    ),
    rename: (
      <>
        <TextField label="New name" value={name.value} onInput={(text) => (name.value = text)} required autoFocus note="Its id and its history stay; what was stored before has the former name." />
      </>
    ),
    labels: (
      <>
        <Lines value={labels.value} wrong={changes.wrong} onInput={(text) => (labels.value = text)} autoFocus />
        <p class="small soft">On all of its series, streams, checks and alerts from now on. Open alerts, acknowledgements and downtimes go on, and nobody is told.</p>
      </>
    ),
    replace: (
      <p>
        {host.state === 'pending' ? `This machine takes the place of the host that is called ${host.name}` : `The machine that waits under the name ${host.name} takes its place`}: id, labels and history stay, and the
        certificate of the machine of before is denied.
      </p>
    ),
    retire: (
      <>
        <p>Its certificates are denied and its series end. What is stored stays until it is too old. There is no way back: it can be enrolled anew as another host.</p>
        <TextField label="Reason" value={reason.value} onInput={(text) => (reason.value = text)} autoFocus note="Goes into the events and the audit." />
      </>
    ),
  }
  return (
    <Dialog title={<span class="any-word">{TITLES[step]} {host.name}</span>} onClose={onClose} submit={SUBMITS[step]} onSubmit={submit} danger={step === 'retire' || step === 'replace'} busy={busy.value}>
      {texts[step]}
      {failed.value && (
        <Notice tone="critical" title="Not done:">
          {failed.value}
        </Notice>
      )}
    </Dialog>
  )
}

function Lines({ value, wrong, onInput, autoFocus = false }: { readonly value: string; readonly wrong: string | null; readonly onInput: (text: string) => void; readonly autoFocus?: boolean }) {
  return <TextField label="Labels" value={value} onInput={onInput} lines={6} wrong={wrong} note="One a line: name=value" autoFocus={autoFocus} />
}
