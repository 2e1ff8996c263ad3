// The lines in a list of which only what is in sight is drawn; heights are computed from the width of a letter.
import { useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { openAround } from '../../lines/Around'
import type { Line } from '../../lines/lines'
import { VirtualRows } from '../../parts'
import { reveal, varied } from '../../parts/virtual'
import { param } from '../../url/query'
import { heightOf } from './heights'
import { Row, type RowProps } from './Row'

/** The id of the line that is open. */
const open = param('line')
const SAMPLE = 'x'.repeat(100)
/** Time, level and the distances around them (logs.css). */
const BESIDE_PX = { wide: 146, narrow: 114 }
const NARROW_PX = 520

export function List({ lines, isWrapped, onPick }: { readonly lines: readonly Line[]; readonly isWrapped: boolean; readonly onPick: RowProps['onPick'] }) {
  const sample = useRef<HTMLSpanElement>(null)
  const letter = useSignal(8)
  const width = useSignal(800)
  useLayoutEffect(() => {
    const wide = sample.current?.getBoundingClientRect().width ?? 0
    if (wide > 0) letter.value = wide / SAMPLE.length
  }, [])
  const columns = Math.max(10, Math.floor((width.value - (width.value < NARROW_PX ? BESIDE_PX.narrow : BESIDE_PX.wide)) / letter.value))
  const opened = open.value
  const heights = useMemo(() => varied(lines.map((line) => heightOf(line, columns, isWrapped, line.id === opened))), [lines, columns, isWrapped, opened])
  const hasLines = lines.length > 0
  // What was opened is whole in sight, after a reload too.
  useEffect(() => {
    const at = opened ? lines.findIndex(({ id }) => id === opened) : -1
    const box = sample.current?.parentElement?.nextElementSibling
    if (at >= 0 && box) box.scrollTop = reveal(heights, at, box.scrollTop, box.clientHeight)
  }, [opened, hasLines])
  const toggle = (line: Line): void => open.push(open.peek() === line.id ? '' : line.id)
  return (
    <>
      <div class="logs-sample" aria-hidden="true">
        <span ref={sample} class="mono">
          {SAMPLE}
        </span>
      </div>
      <VirtualRows
        label="Log lines"
        class="fills logs-list"
        heights={heights}
        columns={3}
        keyOf={(at) => lines[at]?.id ?? String(at)}
        onWidth={(wide) => (width.value = wide)}
        onOpen={(at) => {
          const line = lines[at]
          if (line) toggle(line)
        }}
        row={(at) => {
          const line = lines[at]
          return line && <Row line={line} isOpen={line.id === opened} isWrapped={isWrapped} onOpen={() => toggle(line)} onAround={() => openAround(line)} onPick={onPick} />
        }}
      />
    </>
  )
}
