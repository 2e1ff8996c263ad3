// Rules: found by name, opened with their history; a file with a mistake is told its line; labels are tried in the tree; a test mail is answered.
import type { Visit } from '../visit'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/rules?q=DiskAlmostFull')
  await visit.see('DiskAlmostFull')
  await visit.look('rules', 'DiskAlmostFull')
  await page.getByRole('button', { name: 'DiskAlmostFull' }).first().click()
  await visit.see('Open in Metrics')
  await visit.see('Its group took')
  await page.getByText(/^Its series|No sample of its series/).first().waitFor()
  await visit.look('rule', 'Open in Metrics')
  await page.getByRole('button', { name: 'Close' }).click()
  await page.getByLabel('State').selectOption('recording')
  await visit.see('No rule fits the filter')

  await visit.open('/rules?tab=noise')
  await page.getByText(/Alert time|No rule had an alert/).first().waitFor()
  await visit.look('rules-noise', 'Noisiest')

  await visit.open('/rules?tab=lint')
  await page.getByLabel('Rule file').fill('groups:\n- name: x\n  rules:\n  - alert: A\n    expr: nodd >\n')
  await page.getByRole('button', { name: 'Look at it' }).click()
  await visit.see(/^Line 5/)
  await visit.look('rules-lint', 'Try a file')
  await page.getByLabel('Rule file').fill('groups:\n- name: x\n  rules:\n  - alert: A\n    expr: node_load1 > 1000\n')
  await page.getByRole('button', { name: 'Look at it' }).click()
  await page.getByText(/Nothing is wrong|^Line/).first().waitFor()

  // Unit tests: one that passes, one that fails and says what came.
  const test = (alerts: string): string => `rule_files: [mine.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n  - series: node_load1{host="a"}\n    values: 2000x10\n  alert_rule_test:\n  - eval_time: 5m\n    alertname: A\n    exp_alerts: ${alerts}\n`
  await page.getByLabel('Unit tests of it').fill('tests: []')
  await visit.see(/Name the file above/)
  await page.getByLabel('Unit tests of it').fill(test('[{exp_labels: {host: a}}]'))
  await page.getByRole('button', { name: 'Run the tests' }).click()
  await visit.see('1 test passed.')
  await page.getByLabel('Unit tests of it').fill(test('[]'))
  await page.getByRole('button', { name: 'Run the tests' }).click()
  await visit.see('1 failure in 1 test:')
  await visit.axe()

  await visit.open('/rules?tab=routes')
  await page.getByLabel('Try labels').fill('alertname=Disk, host=db-1')
  await page.locator('.tree').getByText('goes here').first().waitFor()
  const { explanation } = (await visit.api('POST', '/api/muster/v1/routes/explain', { labels: { alertname: 'Disk', host: 'db-1' } })) as { explanation: { routes: { receiver: string }[] } }
  const receiver = explanation.routes[0]?.receiver ?? ''
  await page.locator('.tree li').filter({ hasText: 'goes here' }).filter({ hasText: receiver }).first().waitFor()
  await visit.look('rules-routes', 'Receivers')

  // Nobody has an address here; the collector says so, whatever its status.
  visit.allow(/4\d\d .*mail\/test$/)
  await page.getByRole('button', { name: /^Send a test mail/ }).first().click()
  await page.locator('.receivers .notice, .receivers .small').first().waitFor()
}
