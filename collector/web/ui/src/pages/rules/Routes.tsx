// Whom alerts go to: the tree, tried with labels, and the receivers with a test mail.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import { may } from '../../api/me'
import type { Labels, MailTested } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Code, Lack, Notice, TextField } from '../../parts'
import { api } from '../../url/link'
import { param } from '../../url/query'
import { useExplained } from '../alerts/explain'
import { Tree } from '../alerts/Tree'
import { parseMatchers, shellWord } from '../calendar/matcher'
import { HoldText } from '../problems/Holds'

const tried = param('try')

export function Routes() {
  const parsed = parseMatchers(tried.value)
  const isWrong = typeof parsed === 'string' || parsed.some(({ operator }) => operator !== '=')
  const labels: Labels | null = !tried.value.trim() || isWrong ? null : Object.fromEntries((typeof parsed === 'string' ? [] : parsed).map(({ name, value }) => [name, value]))
  const answer = useExplained(labels ? { labels } : null, '')
  const explained = labels && answer?.kind === 'data' ? answer.data.explanation : undefined
  return (
    <div class="columns">
      <section class="card pad stack">
        <TextField label="Try labels" value={tried.value} onInput={(text) => (tried.value = text)} placeholder="alertname=Disk, host=db-1, severity=page" wrong={isWrong && tried.value.trim() ? 'Write such as alertname=Disk, host=db-1' : null} note="By commas; the tree then shows where such an alert goes, and why not elsewhere" />
        {labels && <Lack answer={answer} what="explanation" flat />}
        {explained && explained.holds.length > 0 && <Notice tone="busy" title="It would be held back:">{explained.holds.map((hold) => <div key={hold.why + hold.by}><HoldText hold={hold} /></div>)}</Notice>}
        <Tree labels={labels} explained={explained} />
        {labels && <Code text={`muster route explain ${Object.entries(labels).map(([name, value]) => shellWord(`${name}=${value}`)).join(' ')}`} />}
      </section>
      <Receivers />
    </div>
  )
}

function Receivers() {
  const asked = useAnswer<readonly { readonly name: string }[]>(() => ['/api/v2/receivers'], { every: 60_000 })
  const known = useShown(asked).value
  return (
    <section class="card pad stack">
      <h2>Receivers</h2>
      <Lack answer={asked.answer.value} what="receivers" onAgain={asked.again} flat />
      {known?.length === 0 && <p class="soft">There are none: nobody is told of anything.</p>}
      <ul class="receivers">{known?.map(({ name }) => <Receiver key={name} name={name} />)}</ul>
      {!may('admin') && <p class="small soft">Test mails are for administrators.</p>}
    </section>
  )
}

function Receiver({ name }: { readonly name: string }) {
  const busy = useSignal(false)
  const said = useSignal<MailTested['sent'] | string | null>(null)
  const test = async (): Promise<void> => {
    busy.value = true
    const answer = await change<MailTested>('POST', api('mail', 'test'), { receiver: name }, { limitMs: 70_000 })
    busy.value = false
    said.value = answer.kind === 'data' ? answer.data.sent : `${answer.message} ${answer.remedy}`
  }
  return (
    <li>
      <div class="row"><b class="grow any-word">{name}</b>{may('admin') && <Button small disabled={busy.value} name={`Send a test mail to ${name}`} onClick={() => void test()}>{busy.value ? 'Sending ...' : 'Test mail'}</Button>}</div>
      {typeof said.value === 'string' && <Notice tone="warning">{said.value}</Notice>}
      {Array.isArray(said.value) && (said.value.length === 0 ? <span class="small soft">It has no addresses for mail.</span> : (said.value as MailTested['sent']).map((one) => (
        <Notice key={one.recipient} tone={one.accepted ? 'ok' : 'critical'} title={`${one.recipient}:`}>{one.answer}</Notice>
      )))}
    </li>
  )
}
