// A link to another of these pages. The time that is looked at goes along.
import type { ComponentChildren } from 'preact'
import { go, here, withSticky } from '../url/location'

export interface LinkProps {
  /** Built by `url/link.ts`. */
  readonly to: string
  readonly children: ComponentChildren
  readonly class?: string | undefined
  readonly title?: string | undefined
  readonly current?: boolean | undefined
  readonly onGo?: (() => void) | undefined
}

export function Link({ to, children, title, current, onGo, ...rest }: LinkProps) {
  const onClick = (event: MouseEvent): void => {
    // Another tab or window is the browser's.
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    onGo?.()
    go(to)
  }
  return (
    <a href={withSticky(to, here.value.search)} class={rest.class} title={title} aria-current={current ? 'page' : undefined} onClick={onClick}>
      {children}
    </a>
  )
}
