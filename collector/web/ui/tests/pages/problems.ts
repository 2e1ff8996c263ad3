// Problems: seen as they come, filtered by the URL, acknowledged by keyboard and in bulk, silenced; hostile text stays text.
import type { Visit } from '../visit'

const HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script> "\'&amp; javascript:alert(3)'

/** The goal is 1 s; a machine that does other things beside may take a little longer. */
const SEEN_WITHIN_MS = 2000

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  visit.push('web-1', 'raid', 'CRITICAL', 'sdb is gone, md0 runs on one disk')
  visit.push('db-1', 'raid', 'CRITICAL', HOSTILE)
  visit.push('web-1', 'backup', 'WARNING', 'the last one was 30 h ago')
  await visit.open('/')
  for (const text of ['sdb is gone', '<img src=x onerror=alert(1)>', '30 h ago']) await visit.see(text)
  await visit.look('problems', 'sdb is gone')

  // A new one is on the page within a second of its being known.
  await visit.see(/^Live$/)
  visit.push('db-1', 'replication', 'WARNING', '40 s behind')
  await visit.until('the problem', async () => ((await visit.api('GET', '/api/muster/v1/problems')) as { problems: { output: string }[] }).problems.some((row) => row.output === '40 s behind'))
  const known = Date.now()
  await visit.see('40 s behind')
  const took = Date.now() - known
  if (took > SEEN_WITHIN_MS) throw new Error(`a problem was on the page ${took} ms after it was known`)

  // A filter is in the URL, and holds after a reload.
  await page.getByRole('combobox', { name: /^Filter/ }).fill('host=web-1 raid')
  await page.waitForURL(/q=host%3Dweb-1\+raid/)
  await visit.until('the filter', async () => (await page.getByText('30 h ago').count()) === 0)
  await page.reload()
  await visit.see('sdb is gone')
  await visit.until('the filter again', async () => (await page.getByText('30 h ago').count()) === 0)

  // By keyboard alone: to the first row, its acknowledgement, and it is handled.
  await page.getByRole('combobox', { name: /^Filter/ }).press('Escape')
  await page.locator('main').focus()
  await page.keyboard.press('j')
  await page.keyboard.press('a')
  await page.getByRole('dialog').waitFor()
  await visit.axe()
  await page.keyboard.type('on my way')
  await page.getByRole('button', { name: 'Acknowledge', exact: true }).last().click()
  await visit.see('No problem fits the filter')
  await page.getByRole('radio', { name: /^Handled/ }).click()
  await visit.see(/Acknowledged/)
  await page.getByRole('button', { name: 'raid', exact: true }).click()
  await visit.see(/on my way/)
  await visit.look('problem-detail', /on my way/)
  await page.getByRole('button', { name: 'Close' }).click()

  // Several at once.
  await visit.open('/?group=none')
  await visit.see('30 h ago')
  await page.getByRole('checkbox', { name: 'Choose backup on web-1' }).check()
  await page.getByRole('checkbox', { name: 'Choose raid on db-1' }).check()
  await visit.see('2 chosen')
  await page.getByRole('button', { name: 'Silence', exact: true }).click()
  await page.getByLabel('Comment').fill('a test')
  await visit.look('problems-silence', 'Problems')
  await page.getByRole('checkbox', { name: 'Choose backup on web-1' }).check()
  await page.getByRole('button', { name: 'Silence', exact: true }).click()
  await page.getByLabel('Comment').fill('a test')
  await page.getByRole('dialog').getByRole('button', { name: 'Silence', exact: true }).click()
  await visit.until('the silence', async () => (await page.getByText('30 h ago').count()) === 0)
  const silences = (await visit.api('GET', '/api/v2/silences')) as { comment: string; createdBy: string }[]
  if (!silences.some((silence) => silence.comment === 'a test' && silence.createdBy === visit.user)) throw new Error(`no such silence: ${JSON.stringify(silences)}`)

  await bulk(visit)
  await suppressed(visit)
  await nothing(visit)
}

/** Several taken over, and several given a downtime, at once. */
async function bulk(visit: Visit): Promise<void> {
  const { page } = visit
  const checks = ['pump', 'valve']
  for (const check of checks) visit.push('web-1', check, 'WARNING', `${check} is warm`)
  await visit.open('/?group=none&show=all&q=is+warm')
  for (const check of checks) await page.getByRole('checkbox', { name: `Choose ${check} on web-1` }).check()
  // Whose they are and since when.
  await page.getByRole('row', { name: /pump/ }).getByText('shop').first().waitFor()
  await page.getByRole('row', { name: /pump/ }).locator('time').first().waitFor()
  await page.getByRole('button', { name: 'Downtime', exact: true }).click()
  await page.getByLabel('Reason').fill('both are changed')
  await page.getByRole('dialog').getByRole('button', { name: /downtime/i }).last().click()
  await visit.until('the downtime', async () => ((await visit.api('GET', '/api/muster/v1/downtimes')) as { downtimes: { reason: string }[] }).downtimes.some(({ reason }) => reason === 'both are changed'))
  await visit.open('/?group=none&show=all&q=is+warm')
  await visit.see(/Downtime until/)
  for (const check of checks) await page.getByRole('checkbox', { name: `Choose ${check} on web-1` }).check()
  await page.getByRole('toolbar').getByRole('button', { name: 'Acknowledge' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Acknowledge', exact: true }).click()
  await visit.until('both are taken', async () => {
    const { checks: known } = (await visit.api('GET', '/api/muster/v1/checks?host=web-1')) as { checks: { check: string; acknowledgement: unknown }[] }
    return checks.every((check) => known.some((one) => one.check === check && one.acknowledgement !== null))
  })
  for (const check of checks) visit.push('web-1', check, 'OK', 'cold')
}

/** Flapping, and each reason for which nobody is told, are badges. */
async function suppressed(visit: Visit): Promise<void> {
  const { page } = visit
  const answer = (await visit.api('GET', '/api/muster/v1/problems?soft=true')) as { problems: Record<string, unknown>[] }
  const [first] = answer.problems
  if (!first) throw new Error('no problem to make others of')
  const made = { ...first, id: 'made', title: 'to-and-fro', is_flapping: true, handled: false, acknowledgement: null, holds: ['parent_down', 'inhibited', 'mute_time', 'catching_up'].map((why) => ({ why, by: `because of ${why}`, until_ms: null })) }
  await page.route('**/api/muster/v1/problems*', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ ...answer, problems: [made] }) }))
  await visit.open('/?group=none')
  for (const badge of ['Flapping', 'Parent down', 'Inhibited', 'Mute time', 'Catching up']) await page.getByRole('row', { name: /to-and-fro/ }).getByText(badge, { exact: true }).waitFor()
  await page.getByTitle('because of parent_down').waitFor()
  await visit.look('problems-suppressed', 'to-and-fro')
  await page.unroute('**/api/muster/v1/problems*')
}

/** Without problems it says how fresh that is, and who is not heard. */
async function nothing(visit: Visit): Promise<void> {
  const { page } = visit
  const answer = (await visit.api('GET', '/api/muster/v1/problems?soft=true')) as { freshness: { hosts: object } }
  const freshness = { ...answer.freshness, hosts: { ...answer.freshness.hosts, active: 3, heard: 2, silent: 1, unreachable: 0, stopped: 0, rebooting: 0, unheard: 0 } }
  await page.route('**/api/muster/v1/problems*', (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ ...answer, problems: [], unhandled: 0, freshness }) }))
  await visit.open('/')
  await visit.see(/2 of 3 hosts heard \(1 silent\)\. The newest data came .* ago, rules and checks were looked at .* ago, this list is from/)
  await visit.look('problems-none', 'No problems')
  await page.unroute('**/api/muster/v1/problems*')
}
