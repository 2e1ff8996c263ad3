// Ask: the question in the URL, asked by a click alone, rows of both hosts together, the missing by their reasons, the command.
import type { Visit } from '../visit'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const sent: string[] = []
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith('/api/muster/v1/ask')) sent.push(request.postData() ?? '')
  })
  await visit.open('/ask')
  const form = page.getByRole('form', { name: 'Question' })
  const grid = page.getByRole('grid', { name: 'Rows of hosts' })
  await form.getByLabel('Table').selectOption('users')
  await visit.see(/One row is .*name, uid/)
  await form.getByLabel('Columns').fill('name, uid, home')
  await form.getByLabel('Where').fill('uid = 0\nname = root')
  await form.getByLabel('Time').fill('9s')
  await page.waitForURL(/timeout=9s/)
  if (sent.length > 0) throw new Error('it was asked before somebody wanted it')
  await form.getByRole('button', { name: 'Ask the hosts' }).click()
  await visit.see('2 of 2 answered')
  await grid.getByText('/root', { exact: true }).waitFor()
  await grid.getByText('2 hosts', { exact: true }).waitFor()
  if (sent.join() !== '{"table":"users","columns":["name","uid","home"],"where":["uid = 0","name = root"],"timeout":"9s"}') throw new Error(`asked: ${sent.join()}`)
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.getByRole('button', { name: 'Copy as command' }).click()
  await visit.see('Copied')
  const command = await page.evaluate(() => navigator.clipboard.readText())
  if (command !== "muster ask users --where 'uid = 0' --where 'name = root' --columns name,uid,home --timeout 9s") throw new Error(`copied: ${command}`)
  // Loaded anew the question stands there, and nobody is asked.
  await page.reload()
  await visit.until('the question', async () => (await form.getByLabel('Where').inputValue()) === 'uid = 0\nname = root')
  await page.waitForTimeout(300)
  if (sent.length !== 1) throw new Error('loading the page asks hosts')
  // By keyboard, of one host; what is shown of the other question says so until then.
  await form.getByRole('button', { name: 'Ask the hosts' }).click()
  await visit.see('2 of 2 answered')
  await page.getByLabel('Hosts by name').fill('web-1')
  await visit.see('Of another question:')
  await form.getByLabel('Columns').press('Enter')
  await visit.see('1 of 1 answered')

  // What is wrong is said.
  visit.allow(/40[04] .*\/ask$/)
  await form.getByLabel('Rows').fill('many')
  await visit.see('Write a number')
  if (await form.getByRole('button', { name: 'Ask the hosts' }).isEnabled()) throw new Error('it is asked for many rows')
  await form.getByLabel('Rows').fill('')
  await form.getByLabel('Where').fill('uid ~ 5')
  await form.getByRole('button', { name: 'Ask the hosts' }).click()
  await visit.see(/is no condition/)

  // Live rows, sorted; and an answer that lacks hosts, as it is told.
  await visit.open('/ask?table=agent')
  await form.getByRole('button', { name: 'Ask the hosts' }).click()
  await visit.see('2 of 2 answered')
  await grid.getByRole('link', { name: 'db-1', exact: true }).waitFor()
  await grid.getByRole('button', { name: 'pid' }).click()
  await page.waitForURL(/sort=pid/)
  const body = {
    version: 1, table: 'agent', columns: [{ name: 'version', kind: 'text' }], rows: [{ values: ['0.1.0'], count: 900, on_hosts: 900, hosts: Array.from({ length: 100 }, (_, at) => `node-${at}`) }], left_out: 3, asked: 1000, answered: 997, took_ms: 5003, dropped: 2,
    missing: [{ host: 'node-1', why: 'late', problem: 'no answer in 5s' }, { host: 'node-2', why: 'silent', problem: 'it is not connected' }, { host: 'node-3', why: 'late', problem: 'no answer in 5s' }], notes: [{ host: 'node-4', problem: 'docker cannot be asked' }],
  }
  await page.route('**/api/muster/v1/ask', (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) }))
  await form.getByRole('button', { name: 'Ask the hosts' }).click()
  for (const text of ['997 of 1000 answered', '2 hosts late:', '1 host silent:', /3 different rows beyond the limit/, 'node-4: docker cannot be asked', '900 hosts']) await visit.see(text)
  await visit.axe()
  await visit.look('ask', /One row is/)
  await visit.unroute()
}
