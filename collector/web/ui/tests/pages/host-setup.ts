// A host's set-up: its configuration and the profiles in it, what was found on it, and what the host said that it could not use.
import { items, listen } from '../listener'
import type { Visit } from '../visit'

const HOST = 'db-1'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const found = await listen(visit)
  const path = `/hosts/${HOST}?tab=setup`
  await visit.open(path)
  const configuration = page.getByRole('region', { name: 'Configuration' })
  const grid = page.getByRole('grid', { name: 'What was found' })
  const dialog = page.getByRole('dialog')

  // A profile by hand, with why; its checks are in the document that the host gets, and it says so.
  await configuration.getByLabel('Another profile').selectOption('redis')
  await configuration.getByRole('button', { name: 'Assign', exact: true }).click()
  await dialog.getByLabel('Reason').fill('it will be one')
  await dialog.getByRole('button', { name: 'Assign' }).click()
  await configuration.getByText(/assigned by user:ann: it will be one/).waitFor()
  await configuration.getByRole('link', { name: 'redis', exact: true }).waitFor()
  await visit.until('the host has told', async () => (await configuration.getByText('told', { exact: false }).count()) > 0)
  await configuration.getByText(/^The document, \d+ lines/).click()
  await configuration.locator('pre').filter({ hasText: 'redis' }).waitFor()

  // What was found on it is accepted there alone, and becomes a check.
  await grid.getByText(found.words, { exact: true }).waitFor()
  await grid.getByRole('button', { name: `Accept ${found.words}` }).click()
  await dialog.getByText(/check port:tcp/).waitFor()
  await dialog.getByRole('button', { name: 'Accept' }).click()
  await visit.until('it is decided', async () => (await grid.getByText(found.words, { exact: true }).count()) === 0)
  await visit.see(/1 thing accepted/)
  await page.getByLabel('State').selectOption('accepted')
  await page.waitForURL(/state=accepted/)
  await grid.getByText(found.words, { exact: true }).waitFor()
  const states = (await items(visit, 'kind=port')).filter(({ key }) => key.startsWith(`port:tcp/${found.port}/`)).map(({ host, state }) => `${host} ${state}`)
  if (!states.includes(`${HOST} accepted`) || !states.includes('web-1 proposed')) throw new Error(`not only on ${HOST}: ${states.join(', ')}`)
  await configuration.getByText(new RegExp(`port:tcp:${found.port}`)).first().waitFor()
  await visit.look('host-setup', found.words)

  // Taken back; what was accepted is archived only with a reason.
  await configuration.getByRole('button', { name: 'Take back redis' }).click()
  await dialog.getByRole('button', { name: 'Take it back' }).click()
  await visit.until('it is taken back', async () => (await configuration.getByRole('link', { name: 'redis', exact: true }).count()) === 0)
  await grid.getByRole('button', { name: `Archive ${found.words}` }).click()
  if (await dialog.getByRole('button', { name: 'Archive' }).isEnabled()) throw new Error('it can be archived without a reason')
  await dialog.getByLabel('Reason').fill('only a test')
  await dialog.getByRole('button', { name: 'Archive' }).click()
  await page.getByLabel('State').selectOption('archived')
  await grid.getByRole('button', { name: `Unfold ${found.words}` }).click()
  await grid.getByText(/by user:ann: only a test/).waitFor()
  await found.close()

  // A host that could not use it: why, and once more.
  const broken = {
    number: 7, digest: null, document: '# redis\n', set: 3, profiles: ['redis'], proposed: ['nginx'], checks: [{ name: 'redis-port', of: 'redis' }], problems: ['check `a` is there twice'], reads: false,
    set_back: 'the host refused it', told: { word: 'refused', in_force: null, offered: null, problems: ['logs: /etc is outside: allow it'], at_ms: Date.now() },
  }
  const sent: string[] = []
  await page.route(/\/configuration(\/retry)?$/, (route) => {
    if (route.request().method() === 'POST') sent.push(route.request().url())
    return route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify({ version: 1, configuration: broken }) })
  })
  await visit.open(path)
  for (const text of ['Refused', 'the host refused it', 'logs: /etc is outside: allow it', 'check `a` is there twice', 'its agent takes no configuration']) await configuration.getByText(text).first().waitFor()
  await visit.axe()
  await configuration.getByRole('button', { name: 'Try again' }).click()
  await dialog.getByRole('button', { name: 'Try again' }).click()
  await visit.until('it is tried again', async () => sent.length === 1 && (await dialog.count()) === 0)
  await configuration.getByRole('button', { name: 'Assign nginx' }).waitFor()
  await visit.unroute()
}
