// The gate: may a version go to an environment, and why not; and decisions that were made.
import type { ServiceList } from '../../api/deploys'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Lack, Tabs } from '../../parts'
import { useHeading } from '../../shell/heading'
import { api } from '../../url/link'
import { param } from '../../url/query'
import { Board } from './Board'
import { Decisions } from './Decisions'
import './gate.css'

const view = param('view', 'board')

export default function Gate() {
  useHeading('Gate')
  const asked = useAnswer<ServiceList>(() => [api('services')], { topic: 'deploys', every: 60_000 })
  const services = useShown(asked).value?.services
  return (
    <div class="page gate">
      <Tabs label="Views of the gate" name="view" tab={view} tabs={[['board', 'Board'], ['decisions', 'Decisions']]} />
      <Lack answer={asked.answer.value} what="services" onAgain={asked.again} />
      {view.value === 'decisions' ? <Decisions /> : services && <Board services={services} />}
      {!services && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for services" />}
    </div>
  )
}
