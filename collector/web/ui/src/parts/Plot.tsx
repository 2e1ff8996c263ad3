// A plot over time: uPlot with a shared cursor, marks of events, a threshold, shaded gaps, and a span that can be dragged.
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { axisTimes, clockTime, number } from '../time/format'
import { isUtc } from '../url/range'
import { colour, theme } from './canvas'

export interface PlotSeries {
  readonly label: string
  /** One a time; null: a gap. */
  readonly values: readonly (number | null)[]
  /** A colour of `style/tokens.css`; absent: by its place. */
  readonly colour?: string
}

export interface PlotMark {
  readonly at: number
  readonly text: string
  /** A colour of `style/tokens.css`. */
  readonly colour?: string
}

export interface PlotProps {
  readonly title: string
  /** Beside the title, in grey. */
  readonly note?: string
  /** Seconds since 1970, rising. */
  readonly times: readonly number[]
  readonly series: readonly PlotSeries[]
  /** The ends of the time axis, in ms. */
  readonly from: number
  readonly to: number
  readonly format?: (value: number) => string
  /** Values are bytes: the axis has round numbers in units of 1024. */
  readonly binary?: boolean
  /** Plots of one key share their cursor. */
  readonly sync?: string
  /** Events, in ms. */
  readonly marks?: readonly PlotMark[]
  /** Times in ms of which is known that data is missing, and why. */
  readonly gaps?: readonly { readonly from: number; readonly to: number; readonly why: string }[]
  /** From this value on it is bad. */
  readonly threshold?: number
  /** Which side of the threshold is bad: the values from it on, if nothing is said. */
  readonly bad?: 'above' | 'below' | 'none'
  readonly low?: number
  readonly height?: number
  /** The values lie on each other: what is between two is filled. */
  readonly isStacked?: boolean
  /** Without the legend and the values at the cursor: who uses it shows them. */
  readonly bare?: boolean
  /** Which time the cursor is at; null: it has left. */
  readonly onCursor?: (at: number | null) => void
  /** Somebody dragged a span, in ms; absent: dragging does nothing. */
  readonly onSpan?: (from: number, to: number) => void
}

/** A mark is meant from so many pixels away. */
const NEAR_PX = 7
/** About as wide as a letter of the axis is, in pixels. */
const LETTER = 6.2
const BINARY = Array.from({ length: 52 }, (_, power) => 2 ** power)

/** Colour of a series by its place. */
export function seriesColour(at: number): string {
  return `series-${(at % 8) + 1}`
}

function shade(plot: uPlot, props: PlotProps): void {
  const { ctx, bbox } = plot
  const x = (ms: number): number => plot.valToPos(ms / 1000, 'x', true)
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  for (const gap of props.gaps ?? []) {
    ctx.fillStyle = colour('off')
    ctx.globalAlpha = 0.16
    const wide = Math.max(2 * devicePixelRatio, x(gap.to) - x(gap.from))
    ctx.fillRect(x(gap.from), bbox.top, wide, bbox.height)
    // And on the axis, where nothing else is.
    ctx.fillStyle = colour('unknown')
    ctx.globalAlpha = 0.9
    ctx.fillRect(x(gap.from), bbox.top + bbox.height - 3 * devicePixelRatio, wide, 3 * devicePixelRatio)
  }
  if (props.threshold !== undefined) {
    const y = plot.valToPos(props.threshold, 'y', true)
    ctx.fillStyle = colour('critical')
    ctx.globalAlpha = 0.08
    if (props.bad === 'below') ctx.fillRect(bbox.left, y, bbox.width, bbox.top + bbox.height - y)
    else if (props.bad !== 'none') ctx.fillRect(bbox.left, bbox.top, bbox.width, y - bbox.top)
    ctx.globalAlpha = 0.8
    ctx.fillRect(bbox.left, y, bbox.width, 1)
  }
  for (const mark of props.marks ?? []) {
    ctx.fillStyle = colour(mark.colour ?? 'warning')
    // What is plotted is seen through them.
    ctx.globalAlpha = 0.45
    ctx.fillRect(x(mark.at), bbox.top, Math.max(1, devicePixelRatio), bbox.height)
    ctx.globalAlpha = 0.9
    ctx.beginPath()
    ctx.moveTo(x(mark.at) - 4, bbox.top)
    ctx.lineTo(x(mark.at) + 5, bbox.top)
    ctx.lineTo(x(mark.at), bbox.top + 7)
    ctx.fill()
  }
  ctx.restore()
}

function lineOf(one: PlotSeries, at: number, { isStacked }: PlotProps): uPlot.Series {
  const stroke = colour(one.colour ?? seriesColour(at))
  // The colours are written as #rrggbb.
  return { label: one.label, stroke, width: 1.4, points: { show: false }, spanGaps: false, ...(isStacked ? { fill: `${stroke}4d` } : {}) }
}

function options(props: PlotProps, width: number, held: { props: PlotProps }): uPlot.Options {
  const axis = { stroke: colour('soft'), grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line'), width: 1 }, font: '11px system-ui, sans-serif' }
  return {
    width,
    height: props.height ?? 150,
    legend: { show: false },
    padding: [8, 16, 0, 0],
    tzDate: (seconds) => (isUtc.peek() ? uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') : new Date(seconds * 1000)),
    scales: {
      x: { time: true, range: () => [held.props.from / 1000, held.props.to / 1000] },
      y: { range: (_plot, low, high) => rangeOf(Math.min(low ?? 0, held.props.low ?? Infinity, held.props.threshold ?? Infinity), high ?? 1, held.props.threshold) },
    },
    axes: [{ ...axis, size: 26, values: (_plot, splits) => axisTimes(splits, isUtc.peek()) }, { ...axis, size: (_plot, texts) => Math.max(58, ...(texts ?? []).map((text) => String(text).length * LETTER + 16)), ...(props.binary ? { incrs: BINARY } : {}), values: (_plot, values) => values.map((value) => (held.props.format ?? number)(value)) }],
    series: [{}, ...props.series.map((one, at) => lineOf(one, at, props))],
    ...(props.isStacked ? { bands: props.series.slice(1).map((_, at) => ({ series: [at + 2, at + 1] as [number, number] })) } : {}),
    cursor: {
      ...(props.sync === undefined ? {} : { sync: { key: props.sync, setSeries: false } }),
      drag: { x: props.onSpan !== undefined, y: false, setScale: false },
      points: { size: 6 },
    },
    hooks: {
      drawClear: [(plot) => shade(plot, held.props)],
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select
          if (wide < 4) return
          held.props.onSpan?.(Math.round(plot.posToVal(left, 'x') * 1000), Math.round(plot.posToVal(left + wide, 'x') * 1000))
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false)
        },
      ],
    },
  }
}

/** The value axis: a little more than the values, zero where they are near it, the threshold in sight. */
export function rangeOf(low: number, high: number, threshold?: number): [number, number] {
  const top = Math.max(high, threshold ?? -Infinity)
  if (!Number.isFinite(low) || !Number.isFinite(top)) return [0, 1]
  if (low === top) return low === 0 ? [0, 1] : [Math.min(0, low * 1.1), Math.max(0, top * 1.1)]
  const room = (top - low) * 0.06
  return [low >= 0 && low < top * 0.5 ? 0 : low - room, top + room]
}

/** What is missing at a time, as marks there. */
function gapsAt(gaps: NonNullable<PlotProps['gaps']>, at: number): PlotMark[] {
  return gaps.filter(({ from, to }) => from <= at && at <= to).map(({ why }) => ({ at, text: `no data: ${why}` }))
}

/** What happened at the cursor: the words of the marks that are near it, the nearest first. */
export function marksNear(marks: readonly PlotMark[], distance: (at: number) => number): string {
  const near = marks.map((mark) => ({ mark, far: Math.abs(distance(mark.at)) })).filter(({ far }) => far <= NEAR_PX)
  return near
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ mark }) => `${clockTime(mark.at, isUtc.peek()).slice(0, 8)} ${mark.text}`)
    .join('; ')
}

export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const read = useRef<HTMLSpanElement>(null)
  const held = useRef({ props })
  held.current.props = props
  const shape = [props.series.map((one) => `${one.label} ${one.colour}`).join('\n'), props.isStacked, props.sync ?? '', props.height, props.onSpan !== undefined, theme.value, isUtc.value].join('\n')

  useEffect(() => {
    const place = box.current
    if (!place) return
    const made = new uPlot(options(held.current.props, place.clientWidth || 400, held.current), [[...props.times], ...props.series.map((one) => [...one.values])] as uPlot.AlignedData, place)
    const write = (self: uPlot): void => {
      const at = self.cursor.idx
      const { series, format = number, bare, onCursor } = held.current.props
      onCursor?.(at ?? null)
      const left = self.cursor.left ?? -1
      const { marks = [], gaps = [] } = held.current.props
      const words = left < 0 ? '' : marksNear([...marks, ...gapsAt(gaps, self.posToVal(left, 'x') * 1000)], (ms) => self.valToPos(ms / 1000, 'x') - left)
      const values = at == null || bare || words ? [] : series.slice(0, 6).map((one) => `${one.label} ${one.values[at] == null ? '-' : format(one.values[at] as number)}`)
      if (read.current) read.current.textContent = words || values.join('  ')
    }
    made.hooks.setCursor = [write]
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: held.current.props.height ?? 150 }))
    observer.observe(place)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [shape])
  useEffect(() => {
    plot.current?.setData([[...props.times], ...props.series.map((one) => [...one.values])] as uPlot.AlignedData)
  }, [props.times, props.series, props.from, props.to, props.marks, props.gaps, props.threshold])

  const last = (values: readonly (number | null)[]): string => {
    const known = values.filter((value) => value !== null)
    const value = known[known.length - 1]
    return value == null ? 'no data' : (props.format ?? number)(value)
  }
  const words = `${props.title}: ${props.series.map((one) => `${one.label} ${last(one.values)}`).slice(0, 8).join(', ') || 'no data'}`
  return (
    <figure class="plot" role="group" aria-label={words}>
      <figcaption class={props.note === undefined ? 'title' : 'title noted'}>
        {props.title && <strong>{props.title}</strong>}
        {props.note && <span class="small soft">{props.note}</span>}
        <span ref={read} class="small soft cut" aria-hidden="true" />
      </figcaption>
      <div ref={box} />
      {props.series.length > 1 && !props.bare && (
        <div class="legend">
          {props.series.slice(0, 24).map((one, at) => (
            <span key={one.label} class="any-word">
              <i style={{ background: `var(--${seriesColour(at)})` }} />
              {one.label}
            </span>
          ))}
          {props.series.length > 24 && <span class="soft">and {props.series.length - 24} more</span>}
        </div>
      )}
    </figure>
  )
}
