// Decisions of the gate that are kept, and what their facts say when they are judged again.
import type { GateHeads, GateReplay } from '../../api/deploys'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Lack, Moment, Notice, Section, SmallTable, StateMark } from '../../parts'
import { api } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { Reasons } from './Reasons'

const LIMIT = 50
const EVERY_MS = 30_000
const [service, before, number] = [param('service'), param('before'), param('decision')]
const digits = (text: string): string | null => (/^\d+$/.test(text) ? text : null)
const words = (codes: readonly string[]): string => codes.map((code) => code.replaceAll('_', ' ')).join(', ')

export function Decisions() {
  const asked = useAnswer<GateHeads>(() => [api('gate', 'decisions'), { service: service.value || null, before: digits(before.value), limit: LIMIT }], { every: EVERY_MS })
  const known = useShown(asked).value?.decisions
  const last = known?.[known.length - 1]
  return (
    <>
      {digits(number.value) && <One key={number.value} id={number.value} />}
      <Lack answer={asked.answer.value} what="decisions" onAgain={asked.again} />
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for decisions" />}
      {known && (
        <Section title="Decisions" note="the newest first" actions={<input aria-label="Service" placeholder="Service" value={service.value} onInput={(event) => setSearch({ service: event.currentTarget.value || null, before: null }, 'replace')} />}>
          <SmallTable
            label="Decisions"
            heads={[['Number', 'right'], ['When'], ['Verdict'], ['What'], ['Because of', 'wide'], ['Lifted', 'wide'], ['Asked by', 'wide']]}
            rows={known.map((one) => ({
              key: String(one.id),
              cells: [
                <Button small name={`Decision ${one.id}`} pressed={number.value === String(one.id)} onClick={() => number.push(number.peek() === String(one.id) ? '' : String(one.id))}>{one.id}</Button>,
                <Moment ms={one.at_ms} short />,
                <StateMark state={one.verdict} />,
                <span class="any-word">{one.rollback && 'back to '}{one.version} of {one.service} to {one.to}</span>,
                <span class="any-word">{words(one.codes)}</span>,
                one.override_by && <span class="any-word">{words(one.lifted)} by {one.override_by}</span>,
                <span class="any-word">{one.by}</span>,
              ],
            }))}
            none="Nobody has asked the gate yet."
          />
          {(before.value || (last && known.length === LIMIT)) && (
            <div class="inside row">
              <Button small disabled={!before.value} onClick={() => before.push('')}>The newest</Button>
              <Button small disabled={!last || known.length < LIMIT} onClick={() => last && before.push(String(last.id))}>Older</Button>
            </div>
          )}
        </Section>
      )}
    </>
  )
}

function One({ id }: { readonly id: string }) {
  const asked = useAnswer<GateReplay>(() => [api('gate', 'decisions', id, 'replay')])
  const known = useShown(asked).value
  return (
    <>
      <Lack answer={asked.answer.value} what={`decision ${id}`} onAgain={asked.again} />
      {known && (
        <Section title={`Decision ${id}`} note={<span class="any-word">{known.decision.version} of {known.decision.service} to {known.decision.to}</span>} actions={<Button small kind="quiet" onClick={() => number.push('')}>Close</Button>}>
          <div class="inside">
            <Reasons verdict={known.verdict} reasons={known.reasons} />
            {known.same ? (
              <p class="small soft">Its facts are kept: judged again they say the same.</p>
            ) : (
              <Notice tone="warning" title="Judged again, its facts say something else:">
                <Reasons verdict={known.again.verdict} reasons={known.again.reasons} />
              </Notice>
            )}
          </div>
        </Section>
      )}
    </>
  )
}
