// Drawing on canvases: sharp on every screen, in the colours of the theme.
import { signal } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { RefObject } from 'preact'

/** Rises when the system changes between light and dark: what is drawn is drawn anew. */
export const theme = signal(0)
if (typeof window !== 'undefined' && typeof window.matchMedia === 'function') {
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours.clear()
    theme.value += 1
  })
}

const colours = new Map<string, string>()

/** A colour of `style/tokens.css` by its name without dashes. Asking the browser is slow, and thousands of strips ask. */
export function colour(name: string): string {
  let found = colours.get(name)
  if (found === undefined) {
    found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
    colours.set(name, found)
  }
  return found
}

export type Draw = (context: CanvasRenderingContext2D, width: number, height: number) => void

type Sized = (width: number, height: number) => void
const sized = new WeakMap<Element, Sized>()
/** One for all: it tells sizes when the browser has them, while asking for one makes it lay out the page at once, for each of a hundred canvases. */
const sizes = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) sized.get(target)?.(Math.round(contentRect.width), Math.round(contentRect.height))
})

/** A canvas that is drawn when it is shown, when its size changes, and when one of `inputs` does. */
export function useCanvas(draw: Draw, inputs: readonly unknown[]): RefObject<HTMLCanvasElement | null> {
  const held = useRef<HTMLCanvasElement>(null)
  const latest = useRef(draw)
  latest.current = draw
  const size = useRef({ width: 0, height: 0 })
  const paint = (): void => {
    const canvas = held.current
    const { width, height } = size.current
    if (!canvas || width === 0 || height === 0) return
    const context = canvas.getContext('2d')
    if (!context) return
    const scale = window.devicePixelRatio || 1
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)]
    // Setting a size clears it too.
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide
      canvas.height = high
    } else {
      context.setTransform(1, 0, 0, 1, 0, 0)
      context.clearRect(0, 0, wide, high)
    }
    context.setTransform(scale, 0, 0, scale, 0, 0)
    latest.current(context, width, height)
  }
  useLayoutEffect(paint, [...inputs, theme.value])
  useLayoutEffect(() => {
    const canvas = held.current
    if (!canvas) return
    // It tells the size that it begins with too, before anything is seen.
    sized.set(canvas, (width, height) => {
      size.current = { width, height }
      paint()
    })
    sizes?.observe(canvas)
    return () => sizes?.unobserve(canvas)
  }, [])
  return held
}
