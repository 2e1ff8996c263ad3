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

/** A canvas that is drawn when it is shown, when its size changes, and when one of `inputs` does. */
export function useCanvas(draw: Draw, inputs: readonly unknown[]): RefObject<HTMLCanvasElement | null> {
  const held = useRef<HTMLCanvasElement>(null)
  const latest = useRef(draw)
  latest.current = draw
  const paint = (): void => {
    const canvas = held.current
    const context = canvas?.getContext('2d')
    if (!canvas || !context) return
    const scale = window.devicePixelRatio || 1
    const [width, height] = [canvas.clientWidth, canvas.clientHeight]
    if (width === 0 || height === 0) return
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)]
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide
      canvas.height = high
    }
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.clearRect(0, 0, width, height)
    latest.current(context, width, height)
  }
  useLayoutEffect(paint, [...inputs, theme.value])
  useLayoutEffect(() => {
    const canvas = held.current
    if (!canvas) return
    const observer = new ResizeObserver(paint)
    observer.observe(canvas)
    return () => observer.disconnect()
  }, [])
  return held
}
