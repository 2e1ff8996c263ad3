// One row of the audit, whole.
import type { AuditRow } from '../../api/types'
import { Dialog, Moment, ShapeIcon } from '../../parts'
import { withSpaces } from './rows'

export function Detail({ row, onClose }: { readonly row: AuditRow; readonly onClose: () => void }) {
  return (
    <Dialog title={`Row ${row.seq}: ${withSpaces(row.action)}`} wide onClose={onClose}>
      <p class="any-word">{row.text}</p>
      <dl class="facts">
        <dt>Result</dt>
        <dd>
          {row.result === 'refused' ? (
            <span class="mark tone-critical">
              <ShapeIcon shape="octagon" />
              Refused
            </span>
          ) : (
            'Done'
          )}
        </dd>
        <dt>When</dt>
        <dd>
          <Moment ms={row.ms} />
        </dd>
        <dt>Who</dt>
        <dd>{row.by}</dd>
        <dt>From</dt>
        <dd class="mono">{row.source || '-'}</dd>
        <dt>Of</dt>
        <dd>{row.object || '-'}</dd>
        <dt>Hash</dt>
        <dd class="mono">{row.hash}</dd>
        <dt>Hash before</dt>
        <dd class="mono">{row.prev}</dd>
      </dl>
    </Dialog>
  )
}
