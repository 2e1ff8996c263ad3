// Plots of a host on one time axis: only those are asked for that come into sight.
import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { quoted, type Matrix } from '../../api/matrix'
import type { Facts } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Icon, Lack, Notice, toggled } from '../../parts'
import { Plot, type PlotMark, type PlotProps } from '../../parts/Plot'
import { param } from '../../url/query'
import { setSpan } from '../../url/range'
import { isBytes, linesOf, offered, question, type PlotKind } from './plots'
import { axis } from './time'

export interface MetricsProps {
  readonly host: string
  readonly facts: Facts
  readonly marks: readonly PlotMark[]
  readonly gaps: NonNullable<PlotProps['gaps']>
  /** No plot that is in sight waits for its answer any more. */
  readonly onShown: () => void
}

const turned = param('groups')
const HEIGHT = 138

export function Metrics({ host, facts, marks, gaps, onShown }: MetricsProps) {
  // A metric of which nothing came in the span is not offered.
  const asked = useAnswer<{ data: readonly string[] }>(() => ['/api/v1/label/__name__/values', { 'match[]': `{host=${quoted(host)}}`, start: axis.value.from / 1000, end: axis.value.to / 1000 }])
  const names = useShown(asked)
  const groups = useMemo(() => offered(names.value ? new Set(names.value.data) : null), [names.value])
  const folds = useMemo(() => new Set(turned.value.split(',').filter(Boolean)), [turned.value])
  const warnings = useSignal<readonly string[]>([])
  const warn = (more: readonly string[]): void => {
    const fresh = more.filter((one) => !warnings.peek().includes(one))
    if (fresh.length > 0) warnings.value = [...warnings.peek(), ...fresh]
  }
  useEffect(() => {
    warnings.value = []
  }, [host, axis.value.from, axis.value.to])
  const waiting = useRef(new Set<string>())
  const onAsking = (key: string, isAsking: boolean): void => {
    if (isAsking) waiting.current.add(key)
    else if (waiting.current.delete(key) && waiting.current.size === 0) onShown()
  }
  const answer = asked.answer.value
  // Where there is nothing to plot nobody waits for it.
  useEffect(() => {
    if (answer && (answer.kind !== 'data' || groups.length === 0)) onShown()
  }, [answer, groups])
  return (
    <div class="stack">
      <Lack answer={answer} what="what this host has" onAgain={asked.again} />
      {warnings.value.map((one) => (
        <Notice key={one} tone="warning" title="Known to be missing:">
          {one}
        </Notice>
      ))}
      {names.value && groups.length === 0 && (
        <div class="card empty">
          <h2>No metrics in this time</h2>
          <p>The host sent nothing between the ends of the time that is chosen above. Zoom out, or look at its events.</p>
        </div>
      )}
      {groups.map((group) => {
        const isOpen = (group.isFolded ?? false) === folds.has(group.key)
        return (
          <section key={group.key} class="plot-group" aria-label={group.title}>
            <h2>
              <button type="button" aria-expanded={isOpen} onClick={() => (turned.value = [...toggled(folds, group.key)].join(','))}>
                <Icon sign={isOpen ? 'down' : 'right'} size={13} />
                {group.title}
                <span class="soft small">{group.plots.length}</span>
              </button>
            </h2>
            {isOpen && (
              <div class="plots">
                {group.plots.map((kind) => (
                  <Box key={kind.key} kind={kind} host={host} facts={facts} marks={marks} gaps={gaps} onWarn={warn} onAsking={onAsking} />
                ))}
              </div>
            )}
          </section>
        )
      })}
    </div>
  )
}

interface BoxProps extends Omit<MetricsProps, 'onShown'> {
  readonly kind: PlotKind
  readonly onAsking: (key: string, isAsking: boolean) => void
  readonly onWarn: (warnings: readonly string[]) => void
}

/** One plot: nothing is asked before it is nearly in sight, and then once a step. */
function Box({ kind, host, facts, marks, gaps, onWarn, onAsking }: BoxProps) {
  const held = useRef<HTMLDivElement>(null)
  const isSeen = useSignal(false)
  useEffect(() => {
    const place = held.current
    if (!place) return
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) isSeen.value = true
      },
      { rootMargin: '160px' },
    )
    observer.observe(place)
    return () => observer.disconnect()
  }, [])
  const asked = useAnswer<Matrix>(() => {
    if (!isSeen.value) return null
    const { from, to, step } = axis.value
    return ['/api/v1/query_range', { query: question(kind, host, axis.value), start: from / 1000, end: to / 1000, step: step / 1000 }]
  })
  const known = useShown(asked)
  const lines = useMemo(() => (known.value ? linesOf(kind, known.value, axis.peek()) : null), [known.value])
  useEffect(() => {
    if (known.value?.warnings) onWarn(known.value.warnings)
  }, [known.value])
  const isAsking = asked.isAsking.value
  useEffect(() => onAsking(kind.key, isAsking), [isAsking])
  useEffect(() => () => onAsking(kind.key, false), [])
  const answer = asked.answer.value
  const limit = kind.limit?.(facts)
  return (
    <div ref={held} class="card plot-box">
      {lines && lines.series.length > 0 ? (
        <Plot
          title={lines.more > 0 ? `${kind.title} (the ${lines.series.length} highest, ${lines.more} more)` : kind.title}
          times={lines.times}
          series={lines.series}
          from={axis.value.from}
          to={axis.value.to}
          format={kind.format}
          binary={isBytes(kind)}
          sync="host"
          marks={marks}
          gaps={gaps}
          height={HEIGHT}
          onSpan={setSpan}
          {...(kind.low === undefined ? {} : { low: kind.low })}
          {...(limit === undefined ? {} : { threshold: limit })}
        />
      ) : (
        <div class="plot-none">
          <strong>{kind.title}</strong>
          {lines ? <span class="soft small">nothing in this time</span> : isAsking ? <span class="wait" role="status" aria-label={`Asking for ${kind.title}`} /> : null}
        </div>
      )}
      {answer && answer.kind !== 'data' && <Lack answer={answer} what={kind.title} onAgain={asked.again} flat />}
    </div>
  )
}
