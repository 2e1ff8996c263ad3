// Changes: they come by themselves, the same one on several hosts stands once, filters and pages are in the URL, and quiet ones are left out.
import { TOLD_MS, type Visit } from '../visit'

interface Answer {
  readonly changes: readonly Record<string, unknown>[]
  readonly next: string | null
}
const CHANGES = '**/api/muster/v1/changes?*'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.looked('web-1', 'db-1')
  const name = `fleet-${Date.now()}`
  const [staying, leaving] = [`${name}-a.conf`, `${name}-b.conf`]
  const answer = async (query: string): Promise<Answer> => (await visit.api('GET', `/api/muster/v1/changes?${query}`)) as Answer
  const count = async (): Promise<number> => (await answer(`text=${name}`)).changes.length

  // A change comes by itself, once for both hosts, and tells what differs and where.
  await visit.open(`/changes?q=${name}`)
  await visit.see('No change fits')
  visit.watched('shared', staying, 'listen = 80')
  visit.watched('shared', leaving, 'listen = 81')
  await visit.until('four changes', async () => (await count()) === 4, TOLD_MS)
  const list = page.getByRole('grid', { name: 'Changes' })
  const words = /configuration file .*-a\.conf .*is new/
  await list.getByText(words).waitFor()
  await list.getByText('2 hosts', { exact: true }).first().waitFor()
  await list.getByText('Added', { exact: true }).first().waitFor()
  if ((await list.getByText(words).count()) !== 1) throw new Error('the same change on two hosts stands twice')
  await list.getByRole('button', { name: /^Unfold configuration file .*-a.conf/ }).click()
  await page.waitForURL(/open=/)
  for (const host of ['web-1', 'db-1']) await list.getByRole('link', { name: host, exact: true }).waitFor()
  await list.getByText('sha256', { exact: true }).waitFor()
  await page.reload()
  await list.getByRole('link', { name: 'db-1', exact: true }).waitFor()
  await list.getByRole('button', { name: /^Fold configuration file/ }).click()
  await page.waitForURL((url) => !url.search.includes('open'))

  // By keys: to the line below its day, and open.
  await list.focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await list.getByRole('link', { name: 'web-1', exact: true }).waitFor()
  await page.keyboard.press('Enter')
  await visit.until('it is folded', async () => (await list.getByRole('link', { name: 'web-1', exact: true }).count()) === 0)

  // Otherwise, and gone: each kind has its word; one host alone is a link to its rows.
  visit.watched('shared', staying, 'listen = 8080')
  visit.watched('shared', leaving, null)
  await visit.until('eight changes', async () => (await count()) === 8, TOLD_MS)
  await list.getByText('Changed', { exact: true }).waitFor()
  await list.getByText('Removed', { exact: true }).waitFor()
  await visit.see(/^8 changes in 4 lines$/)
  await visit.look('changes', /^8 changes in 4 lines$/)
  await page.getByRole('combobox', { name: 'Hosts' }).fill('web')
  await page.getByRole('option', { name: 'web-1' }).click()
  await page.waitForURL(/host=web-1/)
  await visit.see(/^4 changes$/)
  await page.getByLabel('Table').selectOption('files')
  await page.waitForURL(/table=files/)
  await page.getByRole('radio', { name: '1 d', exact: true }).click()
  await page.waitForURL(/since=1d/)
  await page.reload()
  await visit.see(/^4 changes$/)
  await list.getByRole('link', { name: 'web-1', exact: true }).first().click()
  await page.waitForURL(/\/hosts\/web-1\?.*tab=inventory/)
  await page.goBack()
  await page.getByLabel('Table').selectOption('users')
  await visit.see('No change fits')
  await page.getByRole('button', { name: 'Clear' }).click()
  await page.waitForURL((url) => !/host|table|since|q=/.test(url.search))
  await list.getByText(words).first().waitFor()

  // A name that no host has is said, and asked for only by Enter.
  visit.allow(/404 .*\/changes/)
  await page.getByRole('combobox', { name: 'Hosts' }).fill('nobody')
  await visit.see('No host is called nobody yet')
  await page.getByRole('combobox', { name: 'Hosts' }).press('Enter')
  await page.waitForURL(/host=nobody/)
  await visit.see(/No changes:/)
  await visit.axe()
  for (const [query, said] of [['since=soon', 'soon; since takes'], ['from=1&to=2', 'No change fits']] as const) {
    await visit.open(`/changes?${query}`)
    await visit.see(said)
  }

  // Page by page, by the URL: pages of four.
  const second = (await answer(`text=${name}&limit=4`)).next
  await page.route(CHANGES, (route) => route.continue({ url: route.request().url().replace('limit=500', 'limit=4') }))
  await visit.open(`/changes?q=${name}`)
  await list.getByText('Removed', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Older' }).click()
  await page.waitForURL((url) => url.searchParams.get('before') === second)
  await list.getByText('Added', { exact: true }).first().waitFor()
  await visit.until('the page before is another', async () => (await list.getByText('Removed', { exact: true }).count()) === 0)
  await page.reload()
  await list.getByText('Added', { exact: true }).first().waitFor()
  await page.getByRole('button', { name: 'Newer' }).click()
  await page.waitForURL((url) => !url.search.includes('before'))
  await list.getByText('Removed', { exact: true }).waitFor()
  await page.unroute(CHANGES)

  // What is no news is left out until somebody asks for it.
  await page.route(CHANGES, async (route) => {
    const response = await route.fetch()
    const all = (await response.json()) as Answer
    await route.fulfill({ response, json: { ...all, changes: all.changes.map((one) => (one['kind'] === 'changed' ? { ...one, is_news: false } : one)) } })
  })
  await visit.open(`/changes?q=${name}`)
  await visit.see(/^6 changes in 3 lines; 2 quiet ones left out$/)
  await page.getByRole('button', { name: 'Quiet ones too' }).click()
  await page.waitForURL(/quiet=1/)
  await list.getByText(/: sha256 [0-9a-f]{64} -> [0-9a-f]{64}/).waitFor()
  await visit.axe()
  await visit.unroute()
}
