// A rule file, looked at before it is in force.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { Answer } from '../../api/answer'
import type { Finding } from '../../api/types'
import { Button, Lack, Notice, TextField } from '../../parts'
import { api } from '../../url/link'
import { placeOf } from './rule'

const EXAMPLE = 'groups:\n- name: mine\n  rules:\n  - alert: LoadHigh\n    expr: node_load1 > 8\n    for: 5m'

export function Lint() {
  const text = useSignal('')
  const checked = useSignal('')
  const busy = useSignal(false)
  const answer = useSignal<Answer<{ readonly findings: readonly Finding[] }> | null>(null)
  const lint = async (): Promise<void> => {
    busy.value = true
    const asked = text.value
    answer.value = await change('POST', api('rules', 'lint'), { files: [{ name: 'pasted.yml', text: asked }] })
    checked.value = asked
    busy.value = false
  }
  const lines = checked.value.split('\n')
  const findings = answer.value?.kind === 'data' ? answer.value.data.findings : null
  return (
    <section class="card pad stack">
      <TextField label="Rule file" value={text.value} onInput={(value) => (text.value = value)} lines={14} placeholder={EXAMPLE} note="Judged by the collector, and against the metrics that it has. Nothing is put in force." />
      <div><Button kind="accent" disabled={busy.value || !text.value.trim()} onClick={() => void lint()}>Look at it</Button></div>
      <Lack answer={answer.value} what="findings" />
      {findings?.length === 0 && <Notice tone="ok">Nothing is wrong with it.</Notice>}
      {findings?.map((finding, at) => {
        const place = placeOf(finding)
        return (
          <Notice key={at} tone={finding.level === 'error' ? 'critical' : 'warning'} title={place ? `Line ${place.line}${place.column ? `, column ${place.column}` : ''}:` : `${finding.where}:`}>
            <span class="any-word">{finding.message}</span>
            {place && <pre class="mono at-line">{lines[place.line - 1]}{place.column !== null && `\n${' '.repeat(place.column - 1)}^`}</pre>}
            <div class="soft any-word">{finding.remedy}</div>
          </Notice>
        )
      })}
    </section>
  )
}
