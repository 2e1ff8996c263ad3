// Alerts: found and filtered; one of them tells why, who is told, its mail; silenced from here.
import type { Visit } from '../visit'

/** As HTML, in a frame that runs nothing. */
async function html(visit: Visit): Promise<void> {
  const { page } = visit
  await page.getByRole('radio', { name: 'HTML' }).click()
  await page.waitForURL(/mail=html/)
  await page.frameLocator('iframe.mail-html').getByText('battery').first().waitFor()
  await visit.look('alert-mail', 'Nothing in it is run')
  // A mail that would do something may not.
  const form = '**/api/muster/v1/mail/preview.html*'
  visit.allow(/sandboxed|Content Security Policy/i)
  const body = '<h1>A mail</h1><script>parent.postMessage(1)</script><img src=x onerror=alert(13)>'
  await page.route(form, (route) => route.fulfill({ status: 200, contentType: 'text/html', body, headers: { 'content-security-policy': "default-src 'none'; sandbox" } }))
  await page.reload()
  const frame = page.locator('iframe.mail-html')
  await frame.waitFor()
  if ((await frame.getAttribute('sandbox')) !== '') throw new Error('the mail may do more than to be seen')
  await page.unroute(form)
  await page.getByRole('radio', { name: 'Text' }).click()
  await page.locator('pre.mail').filter({ hasText: 'battery' }).waitFor()
}

/** Why a rule's alert fired: each of its conditions with its limit, and its moments. The collector's own rules do not fire in a test. */
async function why(visit: Visit): Promise<void> {
  const { page } = visit
  const { alerts } = (await visit.api('GET', '/api/muster/v1/alerts?all=true')) as { alerts: Record<string, unknown>[] }
  const [now, minute] = [Date.now(), 60_000]
  const expression = 'node_load1 > 0.01 and on (host) (node_memory_MemFree_bytes < node_memory_MemTotal_bytes)'
  const made = { ...alerts[0], id: 'made', state: 'firing', labels: { alertname: 'Loaded', host: 'web-1', severity: 'warning' }, annotations: { summary: 'the load is high' }, origin: { kind: 'rule', file: 'a.yml', group: 'g', rule: 'Loaded' }, active_ms: now - 2 * minute, starts_ms: now - minute, ends_ms: null, value: 1.5, expression, receivers: [], holds: [] }
  await page.route('**/api/muster/v1/alerts?*', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ version: 1, alerts: [...alerts, made] }) }))
  await page.route('**/api/muster/v1/routes/explain', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ version: 1, explanation: { labels: made.labels, is_firing: true, holds: [], routes: [] } }) }))
  const change = { host: 'web-1', host_id: '1', table: 'packages', kind: 'changed', words: 'package openssl: version 3.0.1 -> 3.0.2 <b>', after_ms: now - 20 * minute, until_ms: now - 10 * minute, arrived_ms: now, key: ['openssl'], before: null, after: null, is_news: true }
  const before = { version: 1, alert: 'made', onset_ms: now - 5 * minute, suspects: [{ change: { ...change, table: 'deploys', kind: 'deploy', words: 'deploy 7 of shop 1.1 to staging began', key: [7] }, deploy: 7, page: '/deploys?service=shop&env=staging&version=1.1', hosts: ['web-1'], score: 0.95, why: 'began 7 min before' }, { change, deploy: null, page: null, hosts: ['web-1', 'web-2', 'web-3', 'web-4'], score: 0.9, why: '5 min before it, on few hosts' }], suspects_count: 2, is_partial: false, note: '4 hosts were compared.', contrast: { words: 'all 4 have openssl 3.0.2, no other has' } }
  await page.route('**/api/muster/v1/alerts/made/changes*', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify(before) }))
  await visit.open('/alerts/made')
  await visit.see(/after 1 m of pending/)
  await visit.see(/value 1\.5, limit 0\.01/)
  const plots = page.getByRole('group', { name: /^(node_load1 > 0\.01|and node_memory_MemFree_bytes < node_memory_MemTotal_bytes): .*\d/ })
  await visit.until('a plot a condition', async () => (await plots.count()) === 2)
  await page.getByRole('group', { name: /^and node.* GiB, limit \d/ }).waitFor()
  const suspects = page.getByRole('region', { name: 'What changed before it' })
  await suspects.locator('a[href="/deploys?service=shop&env=staging&version=1.1"]').getByText('deploy 7 of shop 1.1 to staging began').waitFor()
  await suspects.getByText('package openssl: version 3.0.1 -> 3.0.2 <b>', { exact: true }).waitFor()
  await suspects.getByText('web-1, web-2, web-3 and 1 more: 5 min before it, on few hosts').waitFor()
  await suspects.getByText('What sets its hosts apart: all 4 have openssl 3.0.2, no other has').waitFor()
  await visit.look('alert-why', /after 1 m of pending/)
  await suspects.scrollIntoViewIfNeeded()
  await visit.look('alert-before', 'What changed before it')
  await page.getByRole('radio', { name: '2 h' }).click()
  await page.waitForURL(/around=2h/)
  await page.getByRole('link', { name: 'Its series in Metrics' }).click()
  await page.waitForURL((url) => url.pathname === '/explore' && url.searchParams.get('q') === expression)
  await page.unrouteAll({ behavior: 'wait' })
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  visit.push('web-1', 'alerting', 'CRITICAL', 'the battery is flat <img src=x onerror=alert(9)>')
  type Alert = { id: string; state: string; labels: Record<string, string>; origin: { check?: string } }
  const find = async (): Promise<Alert | undefined> => ((await visit.api('GET', '/api/muster/v1/alerts?all=true')) as { alerts: Alert[] }).alerts.find((one) => one.origin.check === 'alerting' && one.state === 'firing')
  await visit.until('the alert', async () => (await find()) !== undefined)
  const alert = await find()
  if (!alert) throw new Error('no alert')

  await visit.open('/alerts?q=host%3Dweb-1+battery&group=host')
  await visit.see(/battery is flat/)
  await visit.look('alerts', /battery is flat/)
  await visit.open('/alerts?q=nothing-of-this-name')
  await visit.see('No alert fits the filter')

  await visit.open(`/alerts/${alert.id}`)
  await visit.see('Who is told')
  await page.getByText('the battery is flat').first().waitFor()
  await page.locator('.tree').getByText(/goes here|passes/).first().waitFor()
  // How its route gathers and tells, and the group that it is in.
  await visit.see(/one notice for each alertname, host, first at once, changes after 1 s, again each 4 h/)
  await page.locator('.tree code', { hasText: '{alertname="alerting", host="web-1"}' }).waitFor()
  await visit.see('Fires since')
  await page.getByRole('button', { name: 'Preview' }).click()
  await page.waitForURL(/mail=text/)
  await page.locator('pre.mail').filter({ hasText: 'battery' }).waitFor()
  await visit.look('alert', 'Who is told')
  await page.locator('pre.mail').filter({ hasText: 'battery' }).waitFor()
  await html(visit)

  // Silenced from here: what it says is hit is this alert.
  await page.getByRole('button', { name: 'Silence', exact: true }).click()
  await visit.see(/It hits/)
  await page.getByLabel('Why').fill('a test of alerts')
  await visit.axe()
  await page.getByRole('dialog').getByRole('button', { name: 'Silence', exact: true }).click()
  await visit.until('the silence', async () => ((await visit.api('GET', '/api/v2/silences')) as { comment: string }[]).some((one) => one.comment === 'a test of alerts'))
  await visit.see(/Held back/)
  // By whom, and what that one said.
  await visit.see(/Silence by ann: a test of alerts until/)

  // Acknowledged by its key.
  await page.locator('main').focus()
  await page.keyboard.press('a')
  const isTaken = async (): Promise<boolean> => ((await visit.api('GET', '/api/muster/v1/checks')) as { checks: { check: string; acknowledgement: unknown }[] }).checks.some((one) => one.check === 'alerting' && one.acknowledgement !== null)
  await visit.until('the acknowledgement', isTaken)
  await why(visit)
  visit.push('web-1', 'alerting', 'OK', 'charged')
}
