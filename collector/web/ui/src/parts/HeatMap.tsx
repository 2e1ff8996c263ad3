// Many things as small squares, each in the colour and with the mark of its state.
import { useSignal } from '@preact/signals'
import { colour, useCanvas } from './canvas'
import { lookOf } from './states'

export interface HeatCell {
  readonly key: string
  readonly label: string
  readonly state: string
  /** Instead of the state's colour: a share between 0 and 1 of a value's scale. */
  readonly share?: number
}

export interface HeatMapProps {
  readonly label: string
  readonly cells: readonly HeatCell[]
  readonly onOpen: (cell: HeatCell) => void
  /** Pixels of a square. */
  readonly size?: number
}

export function HeatMap({ label, cells, onOpen, size = 16 }: HeatMapProps) {
  const at = useSignal(-1)
  const width = useSignal(600)
  const across = Math.max(1, Math.floor(width.value / size))
  const height = Math.max(size, Math.ceil(cells.length / across) * size)
  const canvas = useCanvas(
    (context, wide) => {
      width.value = wide
      for (const [number, cell] of cells.entries()) {
        const [x, y] = [(number % across) * size, Math.floor(number / across) * size]
        const look = lookOf(cell.state)
        context.globalAlpha = cell.share === undefined ? (look.rank === 0 ? 0.42 : 1) : 0.15 + 0.85 * Math.min(1, Math.max(0, cell.share))
        context.fillStyle = colour(cell.share === undefined ? look.tone : 'accent')
        context.fillRect(x, y, size - 2, size - 2)
        context.globalAlpha = 1
        // Not by colour alone: what is not well has a notch, the worse the larger.
        if (cell.share === undefined && look.rank > 0) {
          const notch = look.rank >= 7 ? size / 2 : size / 3.5
          context.fillStyle = colour('surface')
          context.beginPath()
          context.moveTo(x, y)
          context.lineTo(x + notch, y)
          context.lineTo(x, y + notch)
          context.fill()
        }
        if (number === at.value) {
          context.strokeStyle = colour('text')
          context.lineWidth = 2
          context.strokeRect(x, y, size - 2, size - 2)
        }
      }
    },
    [cells, across, at.value, size],
  )
  const place = (event: MouseEvent): number => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect()
    const number = Math.floor((event.clientY - box.top) / size) * across + Math.floor((event.clientX - box.left) / size)
    return number < cells.length ? number : -1
  }
  const open = (number: number): void => {
    const cell = cells[number]
    if (cell) onOpen(cell)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }
    const step = steps[event.key]
    if (event.key === 'Enter') open(at.value)
    else if (step === undefined) return
    else at.value = Math.min(cells.length - 1, Math.max(0, at.value + step))
    event.preventDefault()
  }
  const cell = cells[at.value]
  return (
    <div class="heat">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label={`${label}: ${cells.length} squares; arrows move, Enter opens`}
        style={{ height: `${height}px` }}
        onPointerMove={(event) => (at.value = place(event))}
        onClick={(event) => open(place(event))}
        onKeyDown={onKeyDown}
      />
      <p class="tip small" aria-live="polite">
        {cell ? `${cell.label}: ${lookOf(cell.state).word}` : <span class="soft">Point at a square to see what it is</span>}
      </p>
    </div>
  )
}
