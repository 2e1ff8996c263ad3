// Inventory: SQL over what all hosts have and are, now or at a moment; and what hosts have otherwise than they ought to.
import { useMemo, useRef } from 'preact/hooks'
import type { SqlAnswer, TableShapes } from '../../api/inventory'
import { useAnswer, useShown } from '../../api/useAnswer'
import { MomentField } from '../../inventory/MomentField'
import { momentOf } from '../../inventory/words'
import { Button, Lack, Notice, Tabs } from '../../parts'
import { QueryField } from '../../parts/QueryField'
import { useHeading } from '../../shell/heading'
import { api } from '../../url/link'
import { setSearch } from '../../url/location'
import { param } from '../../url/query'
import { DriftView } from './DriftView'
import { Result } from './Result'
import { completeSql, EXAMPLES, timeNames } from './sql'
import { TableList } from './TableList'
import './inventory.css'

/** What hosts have goes on; a question over all of them takes processor time, so it is not asked with every change. */
const EVERY_MS = 300_000

const sql = param('sql')
const at = param('at')
const view = param('view', 'sql')

/** Another question is sorted by itself. */
function ask(text: string): void {
  setSearch({ sql: text.trim() === '' ? null : text, sort: null }, 'push')
}

export default function Inventory() {
  useHeading('Inventory')
  const insert = useRef<((word: string) => void) | null>(null)
  const tables = useAnswer<TableShapes>(() => [api('inventory', 'tables')])
  const asked = useAnswer<SqlAnswer>(() => (sql.value && view.value !== 'drift' ? [api('inventory', 'query'), { sql: sql.value, at: momentOf(at.value) }] : null), { every: EVERY_MS })
  const [shapes, known] = [useShown(tables).value?.tables ?? [], useShown(asked).value]
  const times = useMemo(() => timeNames(shapes), [shapes])
  const answer = asked.answer.value
  // While another question is on its way, what answered the one before is no answer.
  const answered = useMemo(() => [sql.peek(), at.peek()], [answer])
  const isOf = answered[0] === sql.value && answered[1] === at.value
  // What is wrong with the question stands at its place in it.
  const wrong = isOf && answer?.kind === 'refused' ? [answer.message, answer.where && `(${answer.where})`].filter(Boolean).join(' ') : null
  const moment = momentOf(at.value)
  return (
    <div class="page inventory">
      <Lack answer={tables.answer.value} what="tables" onAgain={tables.again} />
      <Tabs label="Views of the inventory" name="view" tab={view} tabs={[['sql', 'SQL'], ['drift', 'Drift']]} />
      {view.value === 'drift' ? <DriftView shapes={shapes} /> : <div class="inventory-sides">
        <TableList shapes={shapes} onInsert={(word) => insert.current?.(word)} />
        <div class="stack">
          <section class="card pad stack" aria-label="Question">
            <QueryField
              label="SQL"
              value={sql.value}
              insert={insert}
              onRun={(text) => (text === sql.peek() ? asked.again() : ask(text))}
              complete={(text, caret) => completeSql(text, caret, shapes)}
              wrong={wrong}
              placeholder="SELECT host, version FROM packages WHERE name = 'openssl'"
            />
            {wrong !== null && answer?.kind === 'refused' && <p class="small soft any-word">{answer.remedy}</p>}
            <div class="row">
              <MomentField label="As of" at={moment} onTake={(ms) => setSearch({ at: ms === null ? null : String(ms) }, 'push')} />
              <span class="small soft">Enter asks, Shift and Enter is a new line. Times are seconds since 1970.</span>
            </div>
            {at.value !== '' && moment === null && (
              <Notice tone="warning" title="No time:">
                {at.value}; `at` takes milliseconds since 1970. This is the answer for now.
              </Notice>
            )}
            <div class="examples" role="group" aria-label="Examples">
              {EXAMPLES.map((example) => (
                <Button key={example.title} small title={example.sql} pressed={example.sql === sql.value} onClick={() => (example.sql === sql.peek() ? asked.again() : ask(example.sql))}>
                  {example.title}
                </Button>
              ))}
            </div>
          </section>
          {isOf && wrong === null && <Lack answer={answer} what="answer" onAgain={asked.again} />}
          {sql.value && asked.isAsking.value && !(isOf && known) && <div class="wait" role="status" aria-label="Asking" />}
          {isOf && wrong === null && known && <Result answer={known} sql={sql.value} at={moment} times={times} />}
          {!sql.value && <p class="soft">Write a question, or choose an example; a table's names on the side are put in by a click.</p>}
        </div>
      </div>}
    </div>
  )
}
