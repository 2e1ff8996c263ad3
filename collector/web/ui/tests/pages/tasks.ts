// Tasks: a catalogue that was signed, an order that waits for approval and is stopped, one with waves, failures and output, all held back.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Visit } from '../visit'

interface Order {
  readonly order: number
  readonly state: string
}
const HOSTILE = '<b>not bold</b>'

/** As an operator does: a key, a catalogue, its signature, handed in. */
function handIn(visit: Visit, catalogue: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'muster-tasks-'))
  const muster = (...words: string[]): void => void execFileSync(join(process.env['MUSTER_PROGRAMS'] ?? '', 'muster'), ['--url', visit.url, '--token', process.env['MUSTER_TOKEN'] ?? '', ...words])
  try {
    const [key, file] = [join(folder, 'key.pem'), join(folder, 'tasks.toml')]
    writeFileSync(file, catalogue)
    muster('task', 'key', 'new', key)
    muster('task', 'sign', file, '--key', key)
    muster('task', 'add', file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const dialog = page.getByRole('dialog')
  const list = async (): Promise<readonly Order[]> => ((await visit.api('GET', '/api/muster/v1/tasks/orders')) as { orders: readonly Order[] }).orders
  // What a visit before this one left open keeps a catalogue out.
  for (const { order, state } of await list()) if (['requested', 'running', 'paused'].includes(state)) await visit.api('POST', `/api/muster/v1/tasks/orders/${order}/stop`, { reason: 'left over' })

  const expires = new Date(Date.now() + 30 * 86_400_000).toISOString().replace(/\.\d+/, '')
  handIn(visit, `version = ${Math.floor(Date.now() / 1000)}\nexpires = ${expires}\n\n[tasks.show-uptime]\nabout = "Says ${HOSTILE} how long"\nargv = ["/usr/bin/uptime", "-p"]\naccount = "nobody"\n`)
  await visit.open('/tasks?view=catalogue')
  await page.getByRole('row').filter({ hasText: 'show-uptime' }).getByText(`Says ${HOSTILE} how long`).waitFor()
  await visit.see('/usr/bin/uptime -p')
  await visit.look('tasks-catalogue', 'show-uptime')

  // An order comes by itself, and waits for somebody else's signature, which is a command.
  await page.getByRole('link', { name: 'Orders', exact: true }).click()
  const { order } = (await visit.api('POST', '/api/muster/v1/tasks/orders', { task: 'show-uptime', hosts: ['web-1', 'db-1'], batch: '1', reason: `to see ${HOSTILE}` })) as { order: Order }
  const row = page.getByRole('row').filter({ has: page.getByRole('button', { name: `Order ${order.order}`, exact: true }) })
  await row.getByText('To be approved', { exact: true }).waitFor()
  await row.getByText('2 hosts: 2 waiting').waitFor()
  await row.getByRole('button').click()
  await page.waitForURL(new RegExp(`order=${order.order}`))
  await visit.see(`muster task approve ${order.order} --key KEY.pem --as NAME`)
  await page.getByText('What is signed').click()
  await page.locator('pre').filter({ hasText: 'muster-task order v1' }).waitFor()
  await page.getByRole('grid', { name: 'Hosts of the order' }).getByRole('link', { name: 'db-1' }).waitFor()
  await visit.look('tasks-requested', 'muster task approve')

  // All are held back, and let go again.
  await page.getByRole('button', { name: 'Hold all back' }).click()
  await dialog.getByLabel('Reason').fill('something is wrong')
  await dialog.getByRole('button', { name: 'Hold back' }).click()
  await visit.see('All tasks are held back:')
  await visit.axe()
  await page.getByRole('button', { name: 'Send calls again' }).click()
  await page.getByText('All tasks are held back:').waitFor({ state: 'detached' })

  // Stopped, with a reason: it ends by its name.
  await page.getByRole('button', { name: 'Stop ...' }).click()
  if (await dialog.getByRole('button', { name: 'Stop' }).isEnabled()) throw new Error('it can be stopped without a reason')
  await dialog.getByLabel('Reason').fill('not today')
  await dialog.getByRole('button', { name: 'Stop' }).click()
  await row.getByText('Cancelled', { exact: true }).waitFor()
  await page.getByText('not today').first().waitFor()
  await page.getByRole('button', { name: 'Close', exact: true }).click()
  await page.waitForURL((url) => !url.search.includes('order='))
  await underWay(visit, order.order)
}

/** One that runs on more hosts than there are, as it is told. */
async function underWay(visit: Visit, number: number): Promise<void> {
  const { page } = visit
  const dialog = page.getByRole('dialog')
  const path = `/api/muster/v1/tasks/orders/${number}`
  const { order } = (await visit.api('GET', path)) as { order: object }
  const now = Date.now()
  const run = (state: string, wave: number | null, more: object = {}): object => ({ state, wave, sent_ms: wave === null ? null : now - 60_000, began_ms: wave === null ? null : now - 59_000, ended_ms: null, exit: null, well: null, why: null, output_bytes: 0, kept_bytes: 0, ...more })
  const hosts = Array.from({ length: 40 }, (_, at) => ({
    id: `id-${at}`, host: at === 3 ? 'web-1' : `host-${at}`, back: at === 0 ? run('running', 0) : null,
    run: at === 0 ? run('ok', 0, { exit: 0, well: true, ended_ms: now - 50_000 }) : at === 3 ? run('failed', 1, { exit: 2, why: `it said ${HOSTILE}`, output_bytes: 2048, ended_ms: now - 30_000 }) : at < 8 ? run('running', 1) : run('waiting', null),
  }))
  const counts = { ok: 1, failed: 1, running: 6, waiting: 32 }
  const maintenances = [['open', 2], ['closed', 1]].map(([state, wave]) => ({ id: Number(wave) + 6, state, reference: `task ${number} wave ${wave}`, ends_ms: now + 60_000, unreturned: [] }))
  const told = { ...order, order: number, state: 'paused', why: 'more than 0 hosts have failed', hosts: 40, counts, back: 'undo', back_expires_ms: now + 3_600_000, step: 0, wave: 1, maintenance_ms: 600_000, wave_size: 10, failures: 1, batch: '25%', approvals: [{ approver: 'bob', by: 'user:bob', at_ms: now, verified: true }] }
  const sent: string[] = []
  const json = (body: object) => ({ status: 200, contentType: 'application/json', body: JSON.stringify({ version: 1, ...body }) })
  await page.route('**/api/muster/v1/tasks/orders', (route) => route.fulfill(json({ paused: null, orders: [told] })))
  await page.route(`**${path}`, (route) => route.fulfill(json({ order: told, hosts, maintenances })))
  await page.route(`**${path}/output?*`, (route) => route.fulfill(json({ order: number, host: 'web-1', step: 0, text: `up 3 days\n${HOSTILE}\n`, output_bytes: 2048, dropped_bytes: 1024 })))
  await page.route(`**${path}/rollback`, (route) => {
    sent.push(route.request().postData() ?? '')
    return route.fulfill(json({ order: told }))
  })
  await visit.open(`/tasks?order=${number}`)
  await page.getByRole('img', { name: '1 host: 1 ok' }).waitFor()
  await page.getByRole('img', { name: '7 hosts: 6 running, 1 failed' }).waitFor()
  await page.getByRole('img', { name: '32 hosts: 32 waiting' }).waitFor()
  await visit.see('wave 1, the canary')
  await visit.see('back, wave 1')
  await visit.see('health may take 10 m to return.')
  await visit.see(`Maintenance 8 (task ${number} wave 2) is open.`)
  await visit.see('1 maintenance closed.')
  await visit.see('more than 0 hosts have failed')
  const table = page.getByRole('grid', { name: 'Hosts of the order' })
  await table.getByText(`exit 2; it said ${HOSTILE}`).waitFor()
  await table.getByRole('button', { name: 'Output of web-1' }).click()
  await page.waitForURL(/host=web-1/)
  await page.locator('pre').filter({ hasText: HOSTILE }).waitFor()
  await visit.see('of which 1 KiB were left out')
  await visit.look('tasks', 'wave 1, the canary')
  for (const name of ['Go on ...', 'Roll back ...', 'Stop ...']) await page.getByRole('button', { name }).waitFor()
  if ((await page.getByRole('button', { name: 'Pause ...' }).count()) > 0) throw new Error('what is paused can be paused')
  await page.getByRole('button', { name: 'Roll back ...' }).click()
  await dialog.getByLabel('Reason').fill('back')
  await dialog.getByRole('button', { name: 'Roll back' }).click()
  await visit.until('it is sent', async () => sent.length === 1)
  if (!sent[0]?.includes('"reason":"back"')) throw new Error(`it was sent as ${sent[0]}`)
  await visit.unroute()
}
