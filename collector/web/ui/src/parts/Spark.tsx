// A small line without axes.
import { colour, useCanvas } from './canvas'
import { number } from '../time/format'

export interface SparkProps {
  /** null: a gap. */
  readonly values: readonly (number | null)[]
  /** What it is of. */
  readonly label: string
  /** The lower and upper end of the scale; absent: of the values. */
  readonly low?: number
  readonly high?: number
  readonly format?: (value: number) => string
  readonly height?: number
}

export function Spark({ values, label, low, high, format = number, height = 22 }: SparkProps) {
  const known = values.filter((value): value is number => value !== null && Number.isFinite(value))
  const [least, most] = [low ?? Math.min(...known), high ?? Math.max(...known)]
  const canvas = useCanvas(
    (context, width, tall) => {
      if (known.length === 0) return
      const size = most - least || 1
      const x = (at: number): number => (values.length === 1 ? width : (at / (values.length - 1)) * (width - 2) + 1)
      const y = (value: number): number => tall - 2 - ((value - least) / size) * (tall - 4)
      context.strokeStyle = colour('accent')
      context.lineWidth = 1.4
      context.lineJoin = 'round'
      context.beginPath()
      let isDrawn = false
      for (const [at, value] of values.entries()) {
        if (value === null || !Number.isFinite(value)) isDrawn = false
        else {
          if (isDrawn) context.lineTo(x(at), y(value))
          else context.moveTo(x(at), y(value))
          isDrawn = true
        }
      }
      context.stroke()
    },
    [values, least, most],
  )
  const last = known[known.length - 1]
  const words = last === undefined ? `${label}: no data` : `${label}: ${format(last)}, between ${format(Math.min(...known))} and ${format(Math.max(...known))}`
  return <canvas ref={canvas} class="spark" role="img" aria-label={words} title={words} style={{ height: `${height}px` }} />
}
