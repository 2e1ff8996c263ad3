// A histogram over time: stacked bars, of which a span can be dragged.
import { useSignal } from '@preact/signals'
import { number, shortTime } from '../time/format'
import { now } from '../time/clock'
import { isUtc } from '../url/range'
import { colour, useCanvas } from './canvas'

export interface BarPart {
  readonly name: string
  /** A colour of `style/tokens.css`. */
  readonly colour: string
  /** One a bar. */
  readonly counts: readonly number[]
}

export interface BarsProps {
  readonly label: string
  readonly from: number
  readonly to: number
  readonly parts: readonly BarPart[]
  readonly onSpan?: (from: number, to: number) => void
  readonly height?: number
}

export function Bars({ label, from, to, parts, onSpan, height = 72 }: BarsProps) {
  const drag = useSignal<{ from: number; to: number } | null>(null)
  const at = useSignal(-1)
  const bars = Math.max(0, ...parts.map((part) => part.counts.length))
  const total = (bar: number): number => parts.reduce((sum, part) => sum + (part.counts[bar] ?? 0), 0)
  const all = Array.from({ length: bars }, (_, bar) => total(bar))
  const most = Math.max(1, ...all)
  const canvas = useCanvas(
    (context, width, tall) => {
      const wide = width / Math.max(1, bars)
      for (let bar = 0; bar < bars; bar += 1) {
        let y = tall
        for (const part of parts) {
          const high = ((part.counts[bar] ?? 0) / most) * (tall - 2)
          if (high <= 0) continue
          // One line among millions is still seen.
          const seen = Math.max(1, high)
          y -= seen
          context.fillStyle = colour(part.colour)
          context.fillRect(bar * wide, y, Math.max(1, wide - (wide > 4 ? 1 : 0)), seen)
        }
      }
      const span = drag.value
      if (span) {
        context.fillStyle = colour('accent')
        context.globalAlpha = 0.22
        context.fillRect(Math.min(span.from, span.to), 0, Math.abs(span.to - span.from), tall)
        context.globalAlpha = 1
      }
    },
    [parts, from, to, drag.value, height],
  )
  const x = (event: PointerEvent): number => event.clientX - (event.currentTarget as HTMLElement).getBoundingClientRect().left
  const timeOf = (place: number, width: number): number => Math.round(from + (Math.min(width, Math.max(0, place)) / width) * (to - from))
  const onUp = (event: PointerEvent): void => {
    const [span, width] = [drag.value, (event.currentTarget as HTMLElement).clientWidth]
    drag.value = null
    if (!span || Math.abs(span.to - span.from) < 4) return
    onSpan?.(timeOf(Math.min(span.from, span.to), width), timeOf(Math.max(span.from, span.to), width))
  }
  const sum = all.reduce((a, b) => a + b, 0)
  const start = from + (at.value / Math.max(1, bars)) * (to - from)
  const words = at.value >= 0 && at.value < bars ? `${shortTime(start, now(), isUtc.value)}: ${parts.map((part) => `${part.name} ${number(part.counts[at.value] ?? 0)}`).join(', ')}` : ''
  return (
    <figure>
      <canvas
        ref={canvas}
        class="bars"
        role="img"
        aria-label={`${label}: ${number(sum)} in all, ${number(Math.max(0, ...all))} in the highest of ${bars} bars`}
        style={{ height: `${height}px` }}
        onPointerDown={(event) => {
          if (!onSpan || event.button !== 0) return
          event.currentTarget.setPointerCapture(event.pointerId)
          drag.value = { from: x(event), to: x(event) }
        }}
        onPointerMove={(event) => {
          at.value = Math.floor((x(event) / event.currentTarget.clientWidth) * bars)
          if (drag.value) drag.value = { ...drag.value, to: x(event) }
        }}
        onPointerLeave={() => (at.value = -1)}
        onPointerUp={onUp}
        onPointerCancel={() => (drag.value = null)}
      />
      <figcaption class="row small soft">
        <span class="grow">{shortTime(from, now(), isUtc.value)}</span>
        <span>{words}</span>
        <span class="grow right">{shortTime(to, now(), isUtc.value)}</span>
      </figcaption>
    </figure>
  )
}
