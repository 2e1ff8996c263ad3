// Audit: changes and refusals as they are, filters and pages in the URL, and a chain that is walked.
import type { Visit } from '../visit'

interface Row {
  readonly seq: number
  readonly result: string
  readonly text: string
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const audit = async (): Promise<readonly Row[]> => ((await visit.api('GET', '/api/muster/v1/audit?limit=1000')) as { rows: Row[] }).rows
  // A row that is done, and enough of them for a second page; a refused one with a hostile name.
  for (let made = (await audit()).length; made < 130; made += 2) {
    const { token } = (await visit.api('POST', '/api/muster/v1/tokens', { kind: 'http', scopes: ['read'], ttl: '1h' })) as { token: { id: string } }
    await visit.api('DELETE', `/api/muster/v1/tokens/${token.id}`)
  }
  const { token } = (await visit.api('POST', '/api/muster/v1/tokens', { kind: 'http', scopes: ['read'], ttl: '1h' })) as { token: { word: string } }
  const wrong = await fetch(`${visit.url}/api/muster/v1/users/${encodeURIComponent('<img src=x onerror=alert(1)>')}`, { method: 'DELETE', headers: { Authorization: `Bearer ${token.word}` } })
  if (wrong.status !== 403) throw new Error(`a token that reads got ${wrong.status} for a change`)

  await visit.open('/audit')
  const rows = await audit()
  await page.getByText(String(rows[0]?.seq), { exact: true }).first().waitFor()
  await visit.look('audit', 'Verify the chain')

  // Pages, back and forth, by the URL.
  const { next } = (await visit.api('GET', '/api/muster/v1/audit?limit=100')) as { next: number }
  await page.getByRole('button', { name: 'Older' }).click()
  await page.waitForURL(/before=/)
  await visit.see(`: ${next - 1} to `)
  await page.reload()
  await visit.see(`: ${next - 1} to `)
  await page.getByRole('button', { name: 'Newer' }).click()
  await page.waitForURL((url) => !url.search.includes('before'))

  // Filters.
  await page.getByRole('combobox', { name: /^Filter/ }).fill('token revoked')
  await page.waitForURL(/q=token\+revoked/)
  await page.reload()
  await visit.see(/\d+ of 100 rows/)
  await page.getByRole('combobox', { name: /^Filter/ }).fill('')
  await page.getByRole('radio', { name: 'Refused' }).click()
  await page.waitForURL(/result=refused/)
  const refused = rows.filter((row) => row.result === 'refused')
  if (refused.length === 0) throw new Error('the refused change is not in the audit')
  await page.locator('.rows .mark').first().waitFor()
  await visit.look('audit-refused', /^Refused$/)
  await visit.open(`/audit?at=${rows[0]?.seq}`)
  await page.getByRole('dialog').getByText('Hash before').waitFor()
  await visit.axe()
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()

  // Who, action, object, result, since and until are in the URL, each narrows, and the command says the same.
  const one = (await visit.api('GET', '/api/muster/v1/audit?limit=1000')) as { rows: { by: string; action: string; object: string; ms: number }[] }
  const sample = one.rows.find((row) => row.action === 'token_revoked')
  if (!sample) throw new Error('no token was revoked')
  await visit.open('/audit')
  await page.getByLabel('Action', { exact: true }).selectOption(sample.action)
  await page.waitForURL(/action=token_revoked/)
  await page.getByLabel('Who', { exact: true }).selectOption(sample.by)
  await page.getByLabel('Object', { exact: true }).fill(sample.object)
  await page.getByLabel('Object', { exact: true }).press('Enter')
  await page.waitForURL(/object=/)
  await page.getByRole('radio', { name: '7 d' }).click()
  await page.waitForURL(/since=7d/)
  await page.reload()
  await visit.until('the row alone', async () => (await page.locator('.rows [role=row]').count()) === 2)
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.getByRole('button', { name: 'Copy as command' }).click()
  await visit.see('Copied')
  const command = await page.evaluate(() => navigator.clipboard.readText())
  if (command !== `muster audit list --since 7d --by ${sample.by} --action token_revoked --object ${sample.object}`) throw new Error(`copied: ${command}`)
  await visit.open(`/audit?until=${encodeURIComponent(new Date(sample.ms - 365 * 86_400_000).toISOString())}`)
  await visit.see(/None of these rows fits/)
  await page.getByRole('button', { name: 'Clear' }).click()
  await page.waitForURL((url) => !url.search.includes('until'))
  await visit.open('/audit?since=soon')
  await visit.see(/is no time/)
  await visit.open('/audit?action=token_revoked')
  await visit.look('audit-filtered', 'Copy as command')
  await visit.see(/The chain is whole/)

  // The chain, with a head that was noted and one that none has.
  const { head } = (await visit.api('GET', '/api/muster/v1/audit/verify')) as { head: string }
  for (const [hash, said] of [[head, /Row \d+ has the noted hash/], ['0'.repeat(63) + '1', /The chain is broken/]] as const) {
    await page.getByRole('button', { name: 'Verify the chain' }).click()
    await page.getByLabel('A head noted earlier').fill(hash)
    await page.getByRole('dialog').getByRole('button', { name: 'Verify', exact: true }).click()
    await visit.see(said)
    await visit.axe()
  }
}
