// States over time as a strip: the worse, the higher and the redder.
import { colour, useCanvas } from './canvas'
import { decode, inWords, runs } from './pieces'

export interface StripProps {
  /** A letter a piece of time, the oldest first, as the API writes it. */
  readonly states: string
  /** Which time it is, such as `the last day`. */
  readonly time: string
  readonly height?: number
}

export function Strip({ states, time, height = 20 }: StripProps) {
  const words = `${time}: ${inWords(states)}`
  const canvas = useCanvas(
    (context, width, high) => {
      const pieces = decode(states)
      const wide = width / Math.max(1, pieces.length)
      for (const { piece, from, count } of runs(pieces)) {
        context.fillStyle = colour(piece.tone === 'none' ? 'line-strong' : piece.tone)
        const tall = Math.max(2, Math.round(piece.height * high))
        // A gap between pieces, where there is room for one.
        const gap = wide >= 4 ? 1 : 0
        if (gap === 0) context.fillRect(from * wide, high - tall, count * wide, tall)
        else for (let at = from; at < from + count; at += 1) context.fillRect(Math.round(at * wide), high - tall, Math.round((at + 1) * wide) - Math.round(at * wide) - gap, tall)
      }
    },
    [states, height],
  )
  return <canvas ref={canvas} class="strip" role="img" aria-label={words} title={words} style={{ height: `${height}px` }} />
}
