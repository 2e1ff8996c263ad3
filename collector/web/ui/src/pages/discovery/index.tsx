// Discovery: what hosts newly have or have no more, for somebody to decide, and the rules that decide by themselves.
import { Tabs } from '../../parts'
import { Found } from '../../discovery/Found'
import { useHeading } from '../../shell/heading'
import { param } from '../../url/query'
import { Rules } from './Rules'

const view = param('view', 'found')

export default function Discovery() {
  useHeading('Discovery')
  const isRules = view.value === 'rules'
  return (
    <div class={`page${isRules ? '' : ' fill'}`}>
      <Tabs label="Views of discovery" name="view" tab={view} tabs={[['found', 'What was found'], ['rules', 'Rules']]} />
      {isRules ? <Rules /> : <Found />}
    </div>
  )
}
