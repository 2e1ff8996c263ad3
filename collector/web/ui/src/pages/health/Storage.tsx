// What is kept, how long, and how long the disk lasts.
import type { Status } from '../../api/types'
import { Section, ShapeIcon, SmallTable } from '../../parts'
import { bytes, duration, number, percent } from '../../time/format'
import { forecast } from './say'

const or = (value: number | null, write: (value: number) => string): string => (value === null ? '-' : write(value))

export function Storage({ storage }: { readonly storage: Status['storage'] }) {
  const { disk_free_bytes: free, disk_size_bytes: size, free_bytes_a_day: aDay } = storage
  const end = forecast(aDay, storage.full_in_seconds)
  const used = free !== null && size ? 1 - free / size : null
  return (
    <Section title="Storage" note={or(storage.inbox_bytes, (value) => `${bytes(value)} not in segments yet`)}>
      <div class="inside">
        {used !== null && (
          <div class="disk" role="img" aria-label={`The disk is ${percent(used)} full`}>
            <i class={`tone-${end.tone === 'off' ? 'ok' : end.tone}`} style={{ width: `${Math.min(100, used * 100)}%` }} />
          </div>
        )}
        <div class="row small">
          <span>
            {or(free, bytes)} free of {or(size, bytes)}
          </span>
          {aDay !== null && (
            <span class="soft">
              {aDay < 0 ? '-' : '+'}
              {bytes(Math.abs(aDay))} a day
            </span>
          )}
          <span class={`badge tone-${end.tone}`}>
            <ShapeIcon shape={end.tone === 'ok' ? 'check' : end.tone === 'off' ? 'question' : end.tone === 'warning' ? 'triangle' : 'octagon'} size={12} />
            {end.text}
          </span>
        </div>
      </div>
      <SmallTable
        label="Storage by kind"
        heads={[['Kind'], ['Size', 'right'], ['Rows', 'right'], ['Segments', 'right wide'], ['Kept for', 'right']]}
        rows={storage.kinds.map((kind) => ({
          key: kind.kind,
          cells: [<strong>{kind.kind}</strong>, or(kind.bytes, bytes), number(kind.rows), number(kind.segments), duration(kind.retention_seconds * 1000)],
        }))}
        none="It says nothing of what it keeps."
      />
    </Section>
  )
}
