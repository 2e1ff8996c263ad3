// A dialog over the page: the browser's own, so that focus stays in it and Escape closes it.
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Button } from './Button'

export interface DialogProps {
  readonly title: ComponentChildren
  readonly children: ComponentChildren
  readonly onClose: () => void
  /** There is a form then, and this is what its button says. */
  readonly submit?: string
  readonly onSubmit?: () => void | Promise<void>
  readonly danger?: boolean
  readonly busy?: boolean
  /** Whether what is filled in can be sent; absent: it can. */
  readonly ready?: boolean
  readonly wide?: boolean
}

export function Dialog({ title, children, onClose, submit, onSubmit, danger = false, busy = false, ready = true, wide = false }: DialogProps) {
  const held = useRef<HTMLDialogElement>(null)
  const name = useId()
  useEffect(() => {
    const before = document.activeElement
    held.current?.showModal()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  const content = (
    <>
      <h2 id={name}>{title}</h2>
      {children}
      <div class="ends">
        <Button onClick={onClose}>{submit ? 'Cancel' : 'Close'}</Button>
        {submit && (
          <Button type="submit" kind={danger ? 'danger' : 'accent'} disabled={busy || !ready}>
            {busy ? 'Working ...' : submit}
          </Button>
        )}
      </div>
    </>
  )
  return (
    <dialog
      ref={held}
      class={wide ? 'wide' : undefined}
      aria-labelledby={name}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => {
        if (event.target === held.current) onClose()
      }}
    >
      {submit ? (
        <form
          class="dialog"
          onSubmit={(event) => {
            event.preventDefault()
            if (!busy && ready) void onSubmit?.()
          }}
        >
          {content}
        </form>
      ) : (
        <div class="dialog">{content}</div>
      )}
    </dialog>
  )
}
