// A rule file, looked at before it is in force.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { Answer } from '../../api/answer'
import type { Finding } from '../../api/types'
import { Button, Lack, Notice, TextField } from '../../parts'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { placeOf, ruleFilesOf } from './rule'

const TESTS = 'rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- input_series:\n  - series: node_load1{host="a"}\n    values: 9x10\n  alert_rule_test:\n  - eval_time: 6m\n    alertname: LoadHigh\n    exp_alerts: [{exp_labels: {host: a}}]'

interface UnitResults {
  readonly results: readonly { readonly name: string; readonly cases: number; readonly failures: readonly string[] }[]
}

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
  const tests = useSignal('')
  const results = useSignal<Answer<UnitResults> | null>(null)
  const names = ruleFilesOf(tests.value)
  const run = async (): Promise<void> => {
    busy.value = true
    const rules = names.map((name) => ({ name, text: text.value }))
    results.value = await change('POST', api('rules', 'unit'), { tests: [{ test: { name: 'tests.yml', text: tests.value }, rules }] })
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
      <TextField label="Unit tests of it" value={tests.value} onInput={(value) => (tests.value = value)} lines={8} placeholder={TESTS} note="In promtool's form. What rule_files names is the file above." wrong={tests.value.trim() && names.length === 0 ? 'Name the file above: rule_files: [rules.yml]' : null} />
      <div><Button disabled={busy.value || !text.value.trim() || names.length === 0} onClick={() => void run()}>Run the tests</Button></div>
      <Lack answer={results.value} what="results" />
      {results.value?.kind === 'data' && results.value.data.results.map((result) => (
        <Notice key={result.name} tone={result.failures.length === 0 ? 'ok' : 'critical'} title={result.failures.length === 0 ? `${count(result.cases, 'test')} passed.` : `${count(result.failures.length, 'failure')} in ${count(result.cases, 'test')}:`}>
          {result.failures.map((failure, at) => <pre key={at} class="mono at-line">{failure}</pre>)}
        </Notice>
      ))}
    </section>
  )
}
