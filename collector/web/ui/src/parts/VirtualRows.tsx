// A long list of which only what is in sight is drawn. It has the keyboard: arrows or j and k move, Enter opens, x chooses.
import { batch, useSignal, type Signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks'
import { useKeys } from './keys'
import { inSight, moved, reveal, type Heights } from './virtual'

export interface VirtualRowsProps {
  /** What the list is of, for who does not see it. */
  readonly label: string
  readonly heights: Heights
  readonly keyOf: (at: number) => string
  /** A row's cells: elements of role `gridcell`. */
  readonly row: (at: number, isActive: boolean) => ComponentChildren
  readonly columns: number
  readonly head?: ComponentChildren
  readonly headHeight?: number
  readonly isChosen?: (at: number) => boolean
  readonly onOpen?: (at: number) => void
  readonly onChoose?: (at: number) => void
  /** The row that the keyboard is at; -1: none. */
  readonly active?: Signal<number>
  readonly class?: string
  /** It is as high as its rows, up to so many pixels; absent: up to what its place gives (`.page.fill > .fills`). */
  readonly most?: number
  /** Rows are at least so wide, in pixels: where there is less they are scrolled sideways. */
  readonly least?: number
  readonly onWidth?: (width: number) => void
  /** Rows keep no state of their own: those that go give their elements to those that come, which is cheaper than new ones. */
  readonly isReused?: boolean
  /** Which rows are drawn now: for what is asked of these only. */
  readonly onSight?: (first: number, end: number) => void
}

export function VirtualRows(props: VirtualRowsProps) {
  const { heights, headHeight = 0, label } = props
  const held = useRef<HTMLDivElement>(null)
  const scroll = useSignal(0)
  const view = useSignal(600)
  // After a jump no row is one of those before: then only what is seen is made at first.
  const isFar = useSignal(false)
  const own = useSignal(-1)
  const active = props.active ?? own
  const id = useId()
  const latest = useRef(props)
  latest.current = props

  useLayoutEffect(() => {
    const box = held.current
    if (!box) return
    const measure = (): void => {
      view.value = Math.max(0, box.clientHeight - headHeight)
      latest.current.onWidth?.(box.clientWidth)
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(box)
    return () => observer.disconnect()
  }, [headHeight])

  // What was taken away leaves the keyboard at the last row.
  useEffect(() => {
    if (active.peek() >= heights.count) active.value = heights.count - 1
  }, [heights.count])

  const move = (key: string): boolean => {
    const box = held.current
    const { heights } = latest.current
    const at = moved(heights, active.peek(), key, view.peek())
    if (at === null || !box) return false
    active.value = at
    box.scrollTop = reveal(heights, at, box.scrollTop, view.peek())
    return true
  }
  const at = (run: ((at: number) => void) | undefined): void => {
    if (active.peek() >= 0) run?.(active.peek())
  }
  useKeys([
    { key: 'j', does: 'the next row', run: () => void move('j') },
    { key: 'k', does: 'the row before', run: () => void move('k') },
    ...(props.onOpen ? [{ key: 'Enter', does: 'open the row', run: () => at(latest.current.onOpen) }] : []),
    ...(props.onChoose ? [{ key: 'x', does: 'choose the row', run: () => at(latest.current.onChoose) }] : []),
  ])
  const onScroll = (event: Event): void => {
    const { scrollTop } = event.currentTarget as HTMLElement
    const was = scroll.peek()
    batch(() => {
      isFar.value = Math.abs(scrollTop - was) > view.peek()
      scroll.value = scrollTop
    })
    if (isFar.peek()) setTimeout(() => (isFar.value = false), 60)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    // j and k are heard by the page; what is typed in a row's field is the field's.
    if (event.target !== held.current || event.key.length === 1) return
    if (move(event.key)) event.preventDefault()
  }
  const { first, end } = inSight(heights, scroll.value, view.value, isFar.value ? 0 : undefined)
  useEffect(() => latest.current.onSight?.(first, end), [first, end, heights])
  // A power of two that all rows in sight fit in, so that a row keeps its elements as long as it is there.
  const slots = useRef(1)
  while (slots.current < end - first) slots.current *= 2
  // The keyboard's place does not go along to another row.
  const focused = useRef(-1)
  useLayoutEffect(() => {
    if (focused.current >= 0 && (focused.current < first || focused.current >= end)) held.current?.focus({ preventScroll: true })
  }, [first, end])
  const rows = []
  for (let at = first; at < end; at += 1) {
    const isActive = at === active.value
    const classes = ['at', isActive ? 'active' : '', props.isChosen?.(at) ? 'chosen' : ''].filter(Boolean).join(' ')
    rows.push(
      <div
        key={props.isReused ? at % slots.current : props.keyOf(at)}
        id={`${id}-${at}`}
        class={classes}
        role="row"
        aria-rowindex={at + (props.head ? 2 : 1)}
        aria-selected={props.isChosen ? props.isChosen(at) : undefined}
        style={{ top: `${heights.top(at)}px`, height: `${heights.height(at)}px` }}
        onClick={() => (active.value = at)}
        onFocusIn={() => (focused.current = at)}
        onFocusOut={() => (focused.current = -1)}
      >
        {props.row(at, isActive)}
      </div>,
    )
  }
  // As high as its rows; where the place is smaller, that makes it so (`.fills`).
  const height = { height: `${Math.min(props.most ?? Infinity, heights.total + headHeight + 1)}px` }
  const least = props.least === undefined ? {} : { minWidth: `${props.least}px` }
  return (
    <div
      ref={held}
      class={`rows ${props.class ?? ''}`}
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={heights.count + (props.head ? 1 : 0)}
      aria-colcount={props.columns}
      aria-multiselectable={props.isChosen ? true : undefined}
      aria-activedescendant={active.value >= first && active.value < end ? `${id}-${active.value}` : undefined}
      style={height}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      {props.head && (
        <div class="head" role="row" aria-rowindex={1} style={least}>
          {props.head}
        </div>
      )}
      <div class="track" role="presentation" style={{ height: `${Math.max(0, heights.total - 1)}px`, ...least }}>
        {rows}
      </div>
    </div>
  )
}
