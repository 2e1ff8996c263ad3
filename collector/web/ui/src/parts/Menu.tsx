// A button that opens a list of entries, or anything.
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Button, type ButtonProps } from './Button'
import { Icon } from './Icon'

export interface MenuProps {
  readonly button: ComponentChildren
  readonly name?: string
  readonly kind?: ButtonProps['kind']
  readonly small?: boolean
  readonly left?: boolean
  /** Entries are `Button`s of the class `entry` in a `.list`; `close` closes. */
  readonly children: (close: () => void) => ComponentChildren
}

export function Menu({ button, name, kind = 'plain', small = false, left = false, children }: MenuProps) {
  const isOpen = useSignal(false)
  const held = useRef<HTMLDivElement>(null)
  const close = (): void => {
    if (!isOpen.value) return
    isOpen.value = false
    held.current?.querySelector<HTMLElement>(':scope > button')?.focus()
  }
  useEffect(() => {
    if (!isOpen.value) return
    const onDown = (event: Event): void => {
      if (!held.current?.contains(event.target as Node)) isOpen.value = false
    }
    document.addEventListener('pointerdown', onDown)
    return () => document.removeEventListener('pointerdown', onDown)
  }, [isOpen.value])
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && isOpen.value) {
      event.stopPropagation()
      close()
    }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
    const entries = [...(held.current?.querySelectorAll<HTMLElement>('.pop .entry') ?? [])]
    if (entries.length === 0) return
    event.preventDefault()
    const at = entries.indexOf(document.activeElement as HTMLElement)
    const step = event.key === 'ArrowDown' ? 1 : -1
    entries[(at + step + entries.length) % entries.length]?.focus()
  }
  return (
    <div class="menu" ref={held} onKeyDown={onKeyDown}>
      <button type="button" class={`button ${kind === 'plain' ? '' : kind}${small ? ' small' : ''}`} aria-expanded={isOpen.value} aria-label={name} onClick={() => (isOpen.value = !isOpen.value)}>
        {button}
        <Icon sign="down" size={12} />
      </button>
      {isOpen.value && <div class={`pop${left ? ' left' : ''}`}>{children(close)}</div>}
    </div>
  )
}

export function Entry({ children, onClick, disabled, title }: Pick<ButtonProps, 'children' | 'onClick' | 'disabled' | 'title'>) {
  return (
    <Button kind="quiet" class="entry" {...(onClick ? { onClick } : {})} {...(disabled === undefined ? {} : { disabled })} {...(title === undefined ? {} : { title })}>
      {children}
    </Button>
  )
}
