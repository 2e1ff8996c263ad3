// The lines of the feed: days, changes, and what an unfolded one tells.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { Change, TableShape } from '../../api/inventory'
import { ChangeMark } from '../../inventory/ChangeMark'
import { betweenOf, wordsOf } from '../../inventory/words'
import { Icon, Link, toggled, VirtualRows } from '../../parts'
import { varied } from '../../parts/virtual'
import { clockTime, count } from '../../time/format'
import { to } from '../../url/link'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { itemsOf, type Item, type Line } from './gather'

const opened = param('open')
/** Narrower than this a line has two rows. */
const WIDE_PX = 720
const [ROW_PX, DAY_PX, TWO_PX] = [34, 32, 56]

/** Where a host's rows of a table are. */
export const hostPath = (host: string, table: string): string => to(['hosts', host], { tab: 'inventory', table })

export function Seen({ change }: { readonly change: Change }) {
  return (
    <time class="small soft nowrap" title={betweenOf(change.after_ms, change.until_ms, isUtc.value)}>
      {clockTime(change.until_ms, isUtc.value).slice(0, 8)}
    </time>
  )
}

export interface FeedProps {
  readonly lines: readonly Line[]
  readonly shapes: ReadonlyMap<string, TableShape>
}

export function Feed({ lines, shapes }: FeedProps) {
  const width = useSignal(1200)
  const isWide = width.value >= WIDE_PX
  const open = useMemo(() => new Set(opened.value.split(',').filter(Boolean)), [opened.value])
  const items = useMemo(() => itemsOf(lines, open, shapes, isUtc.value), [lines, open, shapes, isUtc.value])
  const heights = useMemo(() => varied(items.map((item) => (item.kind === 'day' ? DAY_PX : item.kind === 'line' && !isWide ? TWO_PX : ROW_PX))), [items, isWide])
  const turn = (item: Item | undefined): void => {
    if (item?.kind === 'line') opened.value = [...toggled(open, item.line.id)].join(',')
  }
  return (
    <VirtualRows
      label="Changes"
      class={`fills feed${isWide ? '' : ' two'}`}
      heights={heights}
      keyOf={(at) => items[at]?.key ?? String(at)}
      columns={5}
      onWidth={(now) => (width.value = now)}
      onOpen={(at) => turn(items[at])}
      row={(at) => {
        const item = items[at]
        return item && <Row item={item} shapes={shapes} onTurn={() => turn(item)} />
      }}
    />
  )
}

function Row({ item, shapes, onTurn }: { readonly item: Item; readonly shapes: ReadonlyMap<string, TableShape>; readonly onTurn: () => void }) {
  if (item.kind === 'day') {
    return (
      <div class="cells day" role="gridcell">
        <strong>{item.day}</strong>
        <span class="small soft">{count(item.count, 'change')}</span>
      </div>
    )
  }
  if (item.kind === 'value') {
    const { name, before, after } = item.difference
    return (
      <div class="cells below" role="gridcell">
        <span class="small soft cut" title={name}>{name}</span>
        <span class="mono small cut" title={[before, after].filter(Boolean).join(' -> ')}>
          {item.of.before && item.of.after ? `${before} -> ${after}` : before || after}
        </span>
      </div>
    )
  }
  if (item.kind === 'host') {
    return (
      <div class="cells below" role="gridcell">
        <Seen change={item.change} />
        <span class="cut">
          <Link to={hostPath(item.change.host, item.change.table)}>{item.change.host}</Link>
        </span>
      </div>
    )
  }
  const { change, line, isOpen } = item
  const words = wordsOf(change, shapes.get(change.table), isUtc.value)
  return (
    <div class="cells" role="presentation">
      <span role="gridcell" class="when">
        <button type="button" aria-expanded={isOpen} aria-label={`${isOpen ? 'Fold' : 'Unfold'} ${words}`} onClick={onTurn}>
          <Icon sign={isOpen ? 'down' : 'right'} size={12} />
        </button>
        <Seen change={change} />
      </span>
      <span role="gridcell" class="kind">
        <ChangeMark kind={change.kind} />
      </span>
      <span role="gridcell" class="cut who">
        {line.all.length > 1 ? (
          <strong title={line.all.map(({ host }) => host).join(' ')}>{count(line.all.length, 'host')}</strong>
        ) : (
          <Link to={hostPath(change.host, change.table)} title={change.host}>
            {change.host}
          </Link>
        )}
      </span>
      <span role="gridcell" class="cut soft small table">
        {change.table}
      </span>
      <span role="gridcell" class={`cut words${change.is_news ? '' : ' soft'}`} title={words}>
        {words}
      </span>
    </div>
  )
}
