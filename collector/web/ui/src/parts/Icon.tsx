// Small pictures of one line each; what they mean is said in words beside them.
import type { JSX } from 'preact'
import type { Shape } from './states'

const SHAPES: Readonly<Record<Shape, JSX.Element>> = {
  check: <><circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.6" /><path d="M5 8.2 7.2 10.4 11.2 6" fill="none" stroke="currentColor" stroke-width="1.6" /></>,
  triangle: <><path d="M8 1.6 15 14.2H1Z" fill="currentColor" /><path d="M8 6v4M8 11.6v1.4" stroke="var(--surface)" stroke-width="1.6" /></>,
  octagon: <><path d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z" fill="currentColor" /><path d="M5.4 5.4 10.6 10.6M10.6 5.4 5.4 10.6" stroke="var(--surface)" stroke-width="1.7" /></>,
  question: <><rect x="1.6" y="1.6" width="12.8" height="12.8" rx="2" fill="none" stroke="currentColor" stroke-width="1.6" /><path d="M6 6.2a2 2 0 1 1 2.8 1.9c-.5.3-.8.6-.8 1.3M8 11v1.2" fill="none" stroke="currentColor" stroke-width="1.5" /></>,
  ring: <><circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3.2 2.2" /><circle cx="8" cy="8" r="1.8" fill="currentColor" /></>,
  slash: <><circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.6" /><path d="M3.6 12.4 12.4 3.6" stroke="currentColor" stroke-width="1.6" /></>,
  turn: <><path d="M13.4 8A5.4 5.4 0 1 1 11 3.5" fill="none" stroke="currentColor" stroke-width="1.8" /><path d="M10.2.8 14 3.4 10.2 6Z" fill="currentColor" /></>,
  pause: <><rect x="2" y="2" width="12" height="12" rx="2" fill="none" stroke="currentColor" stroke-width="1.6" /><path d="M6.2 5.2v5.6M9.8 5.2v5.6" stroke="currentColor" stroke-width="1.8" /></>,
  clock: <><circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.6" /><path d="M8 4.4V8l2.6 1.8" fill="none" stroke="currentColor" stroke-width="1.6" /></>,
  plus: <><circle cx="8" cy="8" r="7" fill="currentColor" /><path d="M8 4.2v7.6M4.2 8h7.6" stroke="var(--surface)" stroke-width="1.8" /></>,
  minus: <><rect x="1.4" y="1.4" width="13.2" height="13.2" rx="2" fill="currentColor" /><path d="M4.2 8h7.6" stroke="var(--surface)" stroke-width="1.8" /></>,
  delta: <path d="M8 2.6 14 13.4H2Z" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linejoin="round" />,
  bell: <><path d="M8 1 15 8 8 15 1 8Z" fill="currentColor" /><path d="M8 4.6v4M8 10v1.5" stroke="var(--surface)" stroke-width="1.6" /></>,
}

const SIGNS = {
  search: <><circle cx="7" cy="7" r="4.6" fill="none" stroke="currentColor" stroke-width="1.5" /><path d="m10.4 10.4 3.8 3.8" stroke="currentColor" stroke-width="1.5" /></>,
  menu: <path d="M2 4h12M2 8h12M2 12h12" stroke="currentColor" stroke-width="1.5" />,
  close: <path d="M3.5 3.5 12.5 12.5M12.5 3.5 3.5 12.5" stroke="currentColor" stroke-width="1.5" />,
  copy: <><rect x="5" y="5" width="9" height="9" rx="1.5" fill="none" stroke="currentColor" stroke-width="1.4" /><path d="M11 5V3.5A1.5 1.5 0 0 0 9.5 2h-6A1.5 1.5 0 0 0 2 3.5v6A1.5 1.5 0 0 0 3.5 11H5" fill="none" stroke="currentColor" stroke-width="1.4" /></>,
  down: <path d="m4 6 4 4 4-4" fill="none" stroke="currentColor" stroke-width="1.5" />,
  right: <path d="m6 4 4 4-4 4" fill="none" stroke="currentColor" stroke-width="1.5" />,
  up: <path d="m4 10 4-4 4 4" fill="none" stroke="currentColor" stroke-width="1.5" />,
  time: <><circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.4" /><path d="M8 4.5V8l2.4 1.6" fill="none" stroke="currentColor" stroke-width="1.4" /></>,
  person: <><circle cx="8" cy="5.2" r="2.8" fill="none" stroke="currentColor" stroke-width="1.4" /><path d="M2.6 14c.5-3 2.6-4.6 5.4-4.6s4.900 1.600 5.400 4.600" fill="none" stroke="currentColor" stroke-width="1.4" /></>,
} as const

export type Sign = keyof typeof SIGNS

function svg(inner: JSX.Element, size: number): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" width={size} height={size} aria-hidden="true">
      {inner}
    </svg>
  )
}

export function ShapeIcon({ shape, size = 14 }: { shape: Shape; size?: number }) {
  return svg(SHAPES[shape], size)
}

export function Icon({ sign, size = 15 }: { sign: Sign; size?: number }) {
  return svg(SIGNS[sign], size)
}
