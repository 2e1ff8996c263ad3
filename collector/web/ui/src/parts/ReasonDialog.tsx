// A dialog that sends something with a reason, and says why it was not done.
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Answer } from '../api/answer'
import { Dialog } from './Dialog'
import { TextField } from './Field'
import { Failed, useDoing } from './useDoing'

export interface ReasonProps {
  readonly title: string
  readonly submit: string
  /** Said in a corner when it is done. */
  readonly said: string
  readonly danger?: boolean
  /** Without a reason it cannot be sent. */
  readonly required?: boolean
  readonly ready?: boolean
  readonly children?: ComponentChildren
  readonly send: (reason: string) => Promise<Answer<unknown>>
  readonly onClose: () => void
  readonly onDone: () => void
  /** What else an answer that refuses tells. */
  readonly refused?: (body: unknown) => ComponentChildren
}

export function ReasonDialog({ title, submit, said, danger = false, required = false, ready = true, children, send, onClose, onDone, refused }: ReasonProps) {
  const reason = useSignal('')
  const doing = useDoing()
  const onSubmit = async (): Promise<void> => {
    if ((await doing.run(send(reason.value.trim()), said)) === undefined) return
    onDone()
    onClose()
  }
  const failed = doing.failed.value
  return (
    <Dialog title={<span class="any-word">{title}</span>} onClose={onClose} submit={submit} onSubmit={onSubmit} danger={danger} busy={doing.busy.value} ready={ready && (!required || reason.value.trim() !== '')}>
      {children}
      <TextField label="Reason" value={reason.value} onInput={(text) => (reason.value = text)} required={required} autoFocus note="Goes into the events and the audit." />
      <Failed doing={doing} />
      {failed && failed.kind !== 'data' && refused?.(failed.body)}
    </Dialog>
  )
}
