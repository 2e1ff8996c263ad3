// What waits to be sent, what is tried again and when, and what was given up.
import type { Mails } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Age, Button, Lack, Link, Section, SmallTable } from '../../parts'
import { count } from '../../time/format'
import { api, to } from '../../url/link'
import { param } from '../../url/query'
import { inOrder, stateWord } from './say'

const sent = param('sent')
const EVERY_MS = 10_000
/** The rest is counted: `muster mail queue` has all. */
const SHOWN = 100

export function MailCard() {
  const asked = useAnswer<Mails>(() => [api('mail'), sent.value === 'shown' ? { all: true } : {}], { topic: 'alerts', every: EVERY_MS })
  const known = useShown(asked).value
  const rows = inOrder(known?.rows ?? [])
  const has = (tone: string): number => rows.filter((row) => stateWord(row).tone === tone).length
  const [dead, again] = [has('critical'), has('warning')]
  return (
    <Section
      title="Notices on their way"
      note={known && [dead > 0 && `${dead} given up`, again > 0 && `${again} tried again`, has('busy') > 0 && `${has('busy')} waiting`].filter(Boolean).join(', ')}
      actions={
        <Button small kind="quiet" pressed={sent.value === 'shown'} onClick={() => (sent.value = sent.value === 'shown' ? '' : 'shown')}>
          {sent.value === 'shown' ? 'Hide those that arrived' : 'Those that arrived'}
        </Button>
      }
    >
      <Lack answer={asked.answer.value} what="notices" flat />
      {known && (
        <SmallTable
          label="Queue of notices"
          heads={[['State'], ['To'], ['What', 'wide'], ['Tried', 'right wide'], ['Next', 'right'], ['Since', 'right wide']]}
          rows={rows.slice(0, SHOWN).map((row) => {
            const { word, tone } = stateWord(row)
            return {
              key: `${row.notice}/${row.receiver}/${row.recipient}`,
              cells: [
                <span class={`badge tone-${tone}`}>{word}</span>,
                <>
                  <span class="any-word">{row.recipient || row.receiver}</span>
                  {row.problem && <div class={`small any-word ${tone === 'critical' ? 'tone-critical' : 'soft'}`}>{row.problem}</div>}
                </>,
                <>
                  <span class="any-word">{row.subject}</span>
                  <div class="small soft any-word">
                    {row.receiver}
                    {row.server && ` by ${row.server}`}
                    {row.may_have_arrived && ', may have arrived'}
                  </div>
                </>,
                row.attempts,
                row.next_ms === null ? <span class="soft">-</span> : <Age ms={row.next_ms} after=" ago" />,
                <Age ms={row.queued_ms} after=" ago" />,
              ],
            }
          })}
          none="Nothing waits to be sent, and nothing was given up."
        />
      )}
      {rows.length > SHOWN && <p class="fold soft small"><span>and {count(rows.length - SHOWN, 'more', 'more')}: <code>muster mail queue</code> has all</span></p>}
      {dead + again > 0 && (
        <p class="fold soft small">
          <span>
            Whether a receiver is reached is tried by a test mail, in <Link to={to(['rules'], { tab: 'routes' })}>Rules, Routes</Link>. What was given up is not sent again; an alert that still fires is told anew.
          </span>
        </p>
      )}
    </Section>
  )
}
