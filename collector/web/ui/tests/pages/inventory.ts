// Inventory: examples, tables to click, errors at their place, answers as tables, commands and CSV, and the URL that keeps them.
import { readFileSync } from 'node:fs'
import { TOLD_MS, type Visit } from '../visit'

interface Sql {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.looked('web-1', 'db-1')
  const asked = async (sql: string): Promise<Sql> => (await visit.api('GET', `/api/muster/v1/inventory/query?sql=${encodeURIComponent(sql)}`)) as Sql
  await visit.until('kernels', async () => (await asked('SELECT count(*) FROM kernel')).rows[0]?.[0] === 2)
  await visit.until('users', async () => Number((await asked('SELECT count(*) FROM users WHERE uid = 0')).rows[0]?.[0]) >= 2)

  // Each example is answered; one of them closely.
  await visit.open('/inventory')
  const examples = page.getByRole('group', { name: 'Examples' }).getByRole('button')
  const grid = page.getByRole('grid', { name: 'Answer' })
  for (let at = 0; at < (await examples.count()); at += 1) {
    await examples.nth(at).click()
    await page.waitForURL(/sql=/)
    await visit.until('it is answered', async () => (await examples.nth(at).getAttribute('aria-pressed')) === 'true' && (await page.locator('.wait').count()) === 0 && (await page.getByText(/^\d[\d,]* rows?$/).count()) === 1)
    if ((await page.getByRole('alert').count()) > 0) throw new Error(`an example is wrong: ${await page.getByRole('alert').first().textContent()}`)
  }
  const [release] = (await asked('SELECT release FROM kernel')).rows[0] ?? []
  await page.getByRole('button', { name: 'Kernels by number of hosts' }).click()
  await grid.getByText(String(release), { exact: true }).waitFor()
  await grid.getByText('2', { exact: true }).waitFor()
  await page.reload()
  await grid.getByText(String(release), { exact: true }).waitFor()
  await page.goBack()
  await page.goForward()

  // Written with what is offered, and by clicks on tables; Enter asks.
  const field = page.getByRole('textbox', { name: 'SQL' })
  await field.fill('SELECT * FROM lis')
  await page.getByRole('option', { name: /^listening_ports\b/ }).first().click()
  await field.fill('SELECT FROM users WHERE uid = 0')
  await field.evaluate((area: HTMLTextAreaElement) => area.setSelectionRange(7, 7))
  await page.getByRole('button', { name: /^users/ }).click()
  await page.waitForURL(/open=users/)
  await page.getByRole('list', { name: 'Tables' }).getByRole('button', { name: /^home text/ }).click()
  await visit.until('the column stands there', async () => (await field.inputValue()) === 'SELECT home FROM users WHERE uid = 0')
  await field.press('Enter')
  await grid.getByText('/root', { exact: true }).first().waitFor()
  await page.waitForURL(/sql=SELECT\+home/)

  // Many rows of which some are drawn, sorted by a click; more than there may be is said.
  const numbers = 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 12000) SELECT n, n AS n FROM c'
  await visit.open(`/inventory?sql=${encodeURIComponent(numbers)}`)
  await visit.see('Not all:')
  await visit.see(/these are the first 10,000 rows/)
  if ((await grid.getByRole('row').count()) > 100) throw new Error('all rows are drawn')
  await grid.getByRole('columnheader').first().getByRole('button').click()
  await grid.getByRole('columnheader').first().getByRole('button').click()
  await page.waitForURL(/sort=-0/)
  await grid.getByText('10000', { exact: true }).first().waitFor()

  // What is wrong is said, and marked at its place.
  visit.allow(/400 .*\/inventory\/query/)
  await field.fill("SELECT '\u00fc',\nFROM users")
  await field.press('Enter')
  await page.getByRole('alert').getByText(/at character \d+/).waitFor()
  await visit.until('the place', async () => (await page.locator('.query-text mark').textContent()) === 'F')
  await visit.axe()
  for (const [sql, said] of [['DELETE FROM users', /only a single SELECT/], ['SELECT x FROM users', /users has host, name/]] as const) {
    await visit.open(`/inventory?sql=${encodeURIComponent(sql)}`)
    await visit.see(said)
  }

  // Taken along as a command and as CSV.
  const sql = "SELECT host, name FROM users WHERE uid = 0 AND host = 'web-1' AND name = 'root'"
  await visit.open(`/inventory?sql=${encodeURIComponent(sql)}`)
  await grid.getByText('root', { exact: true }).waitFor()
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.getByRole('button', { name: 'Copy as command' }).click()
  await visit.see('Copied')
  const command = await page.evaluate(() => navigator.clipboard.readText())
  if (command !== `muster inventory query '${sql.replaceAll("'", "'\\''")}'`) throw new Error(`copied: ${command}`)
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click()])
  const csv = readFileSync(await download.path(), 'utf8')
  if (download.suggestedFilename() !== 'inventory.csv' || csv !== 'host,name\r\nweb-1,root\r\n') throw new Error(`${download.suggestedFilename()}: ${csv}`)

  // As it was at a moment, which the URL keeps; before the first look nothing is known.
  await page.getByLabel('As of', { exact: true }).fill('2020-01-01T00:00')
  await page.getByLabel('As of', { exact: true }).press('Tab')
  await page.waitForURL(/at=1577833200000/)
  await visit.see('No row')
  await visit.see(/0 rows as it was at/)
  await page.getByRole('button', { name: 'As of: now' }).click()
  await page.waitForURL((url) => !url.searchParams.has('at'))
  await grid.getByText('root', { exact: true }).waitFor()
  await visit.open(`/inventory?at=soon&sql=${encodeURIComponent(sql)}`)
  await visit.see('No time:')

  await visit.open(`/inventory?open=packages&sql=${encodeURIComponent('SELECT * FROM packages ORDER BY host, name LIMIT 300')}`)
  await visit.see(/^300 rows$|^\d+ rows?$/)
  await visit.look('inventory', /^\d+ rows?$/)

  await drift(visit)
}

/** What hosts have otherwise: off a baseline that is pinned here, and of a group as it is told. */
async function drift(visit: Visit): Promise<void> {
  const { page } = visit
  const dialog = page.getByRole('dialog')
  const name = `drift-${Date.now()}.conf`
  visit.watched('web-1', name, 'only here')
  await visit.until('the file', async () => JSON.stringify(await visit.api('GET', '/api/muster/v1/hosts/web-1/inventory/files')).includes(name), TOLD_MS)
  await visit.open('/inventory')
  await page.getByRole('link', { name: 'Drift', exact: true }).click()
  await visit.see('No group to look at')
  await page.getByRole('button', { name: 'Pin' }).click()
  await dialog.getByLabel('Name').fill('pages')
  await dialog.getByLabel('Of hosts').fill('env=prod')
  await dialog.getByLabel('As this host has it').fill('web-1')
  await dialog.getByLabel('Tables').fill('files')
  await dialog.getByRole('button', { name: 'Pin' }).click()
  await page.getByRole('link', { name: 'pages', exact: true }).click()
  await page.waitForURL(/baseline=pages/)
  const row = page.getByRole('row').filter({ hasText: name })
  await row.getByText('has none').waitFor()
  await row.getByText('db-1').waitFor()
  await page.getByLabel('Host', { exact: true }).fill('web-1')
  await page.waitForURL(/host=web-1/)
  await visit.until('nothing of it is of web-1', async () => (await row.count()) === 0)
  await page.goBack()
  await row.getByText('has none').waitFor()
  await page.getByLabel('Table', { exact: true }).selectOption('packages')
  await page.waitForURL(/table=packages/)
  await visit.until('no files of packages', async () => (await row.count()) === 0)
  await page.getByLabel('Table', { exact: true }).selectOption('')
  await visit.look('inventory-baseline', 'has none')
  await page.getByRole('button', { name: 'Drop baseline pages' }).click()
  await visit.see('None: hosts are compared with most of their group.')
  visit.watched('web-1', name, null)

  // Groups, the worst first, and what they have.
  const columns = [{ name: 'name', kind: 'text' }, { name: 'version', kind: 'text' }]
  const other = (host: string, version: string | null) => ({ host, host_id: host, row: version === null ? null : ['openssl', version], columns: ['version'] })
  const table = { table: 'packages', one: 'package', columns, keys: 1, hosts: 5, rows: 3, own: 2, undecided: 0, drift: [{ key: ['openssl'], expected: ['openssl', '3.0.11'], others: [other('a', '3.0.2'), other('b', '3.0.2'), other('c', null)], left_out: 0 }] }
  const group = (of: string, rows: number) => ({ name: of, labels: {}, hosts: 5, rows, left_out: 4, by_host: [{ host: 'a', rows }], tables: [table] })
  await page.route('**/inventory/drift*', (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify({ version: 1, group_by: ['role'], baseline: null, hosts_min: 3, alone: 2, groups: [group('role=db', 1), group('role=web', 7)] }) }))
  await visit.open('/inventory?view=drift&group=role')
  await visit.see('version 3.0.11 -> 3.0.2')
  const heads = await page.getByRole('heading', { level: 2, name: /^role=/ }).allTextContents()
  if (heads.join() !== 'role=web,role=db') throw new Error(`not the worst first: ${heads.join()}`)
  await visit.see('2 hosts in groups of less than 3.')
  await visit.look('inventory-drift', 'version 3.0.11 -> 3.0.2')
  await visit.unroute()
}
