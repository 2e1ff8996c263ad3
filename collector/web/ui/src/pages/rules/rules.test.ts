import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rule } from '../../api/types'
import { filterRules, noisiest, placeOf, plotted, rowsOf, ruleFilesOf, shortFile } from './rule'

const rule = (name: string, more: Partial<Rule> = {}): Rule => ({ type: 'alerting', name, query: 'up == 0', labels: {}, health: 'ok', lastEvaluation: '', state: 'inactive', ...more })
const rows = rowsOf([{ name: 'load', file: '/etc/a.yml', interval: 2, evaluationTime: 0, lastEvaluation: '', rules: [rule('LoadHigh', { state: 'firing' }), rule('Bad', { health: 'err', lastError: 'no' }), rule('load:sum', { type: 'recording' })] }])

test('rules are rows with one state each', () => {
  assert.deepEqual(rows.map(({ state }) => state), ['firing', 'error', 'recording'])
  assert.equal(shortFile('/etc/a.yml'), 'a.yml')
})

test('rules are filtered by words, state and file', () => {
  const names = (text: string, state = '', file = '') => filterRules(rows, text, state, file).map(({ rule }) => rule.name)
  assert.deepEqual([names('loadhigh up'), names('', 'error'), names('', '', '/etc/b.yml')], [['LoadHigh'], ['Bad'], []])
})

test('the noisiest rule is the one whose alerts fired longest', () => {
  const found = noisiest({ data: { result: [{ metric: { alertname: 'a' }, values: [[1, '1']] }, { metric: { alertname: 'b' }, values: [[1, '2'], [2, '3']] }] } }, 60)
  assert.deepEqual(found.map(({ name, alertSeconds, most }) => [name, alertSeconds, most]), [['b', 300, 3], ['a', 60, 1]])
})

test('a finding has its place where the file has one', () => {
  const at = (where: string) => placeOf({ where, level: 'error', message: '', remedy: '' })
  assert.deepEqual([at('a.yml:5:17'), at('a.yml:5'), at('a.yml')], [{ line: 5, column: 17 }, { line: 5, column: null }, null])
})

test('a rule is plotted by what it judges, near its limit', () => {
  assert.deepEqual(plotted({ type: 'alerting', name: 'A', query: 'node_load1 > 8' }), { query: 'topk(8, node_load1)', limit: 8, isAbove: true, isBelow: false })
  assert.deepEqual(plotted({ type: 'alerting', name: 'A', query: 'free / size < 0.05' }), { query: 'bottomk(8, free / size)', limit: 0.05, isAbove: false, isBelow: true })
  assert.deepEqual(plotted({ type: 'recording', name: 'load:sum', query: 'sum(x)' }), { query: 'topk(8, load:sum)', limit: null, isAbove: false, isBelow: false })
  assert.deepEqual(plotted({ type: 'alerting', name: 'A', query: 'a{b="c"} / d < 0.05 and on (host) e == 0' }), { query: 'bottomk(8, a{b="c"} / d)', limit: 0.05, isAbove: false, isBelow: true })
  assert.equal(plotted({ type: 'alerting', name: 'A', query: '(a > 1 and b > 2) > 0 and c' }).query, 'topk(8, (a > 1 and b > 2))')
})

test('a test names its rule files, in both forms of a list', () => {
  assert.deepEqual(ruleFilesOf('rule_files: [a.yml, "b c.yml"]\ntests: []'), ['a.yml', 'b c.yml'])
  assert.deepEqual(ruleFilesOf("rule_files:\n  - a.yml\n- 'b.yml'\ntests:\n- x: 1\n"), ['a.yml', 'b.yml'])
  assert.deepEqual(ruleFilesOf('tests: []'), [])
})
