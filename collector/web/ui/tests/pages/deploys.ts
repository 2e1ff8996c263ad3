// Deploys: they come by themselves, end, are filtered in the URL; which version is where; what nobody told and what was in a freeze stands out; freezes.
import type { Visit } from '../visit'

interface Answer {
  readonly deploys: readonly Record<string, unknown>[]
  readonly next: number | null
}
const DEPLOYS = '**/api/muster/v1/deploys?*'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const stamp = Date.now()
  const [first, second] = [`1.${stamp}`, `2.${stamp}`]
  const start = (version: string, more: object = {}): Promise<unknown> => visit.api('POST', '/api/muster/v1/deploys', { service: 'shop', env: 'prod', version, ...more })
  const finish = (result: string): Promise<unknown> => visit.api('POST', '/api/muster/v1/deploys/finish', { service: 'shop', env: 'prod', result })

  // It comes by itself, runs, and ends.
  await visit.open('/deploys')
  await page.getByRole('region', { name: 'Versions by environment' }).getByText('shop', { exact: true }).waitFor()
  await start(first)
  const feed = page.getByRole('region', { name: 'Deploys', exact: true }).last()
  const row = (version: string) => feed.getByRole('row').filter({ hasText: version })
  await row(first).getByText('Running', { exact: true }).waitFor()
  await page.getByRole('region', { name: 'Versions by environment' }).getByText('running', { exact: true }).waitFor()
  await finish('ok')
  await row(first).getByText('OK', { exact: true }).waitFor()
  await page.getByRole('button', { name: new RegExp(`^${first} for `) }).waitFor()
  await visit.look('deploys', first)

  // One of some hosts, with a link and a note, that fails: what was there before stays.
  await start(second, { hosts: ['web-1'], link: 'https://ci.example/42', note: 'a note <b>of it</b>', key: `run-${stamp}` })
  await finish('failed')
  await row(second).getByText('Failed', { exact: true }).waitFor()
  await row(second).getByText('1 host', { exact: true }).click()
  await row(second).getByText('a note <b>of it</b>').waitFor()
  if ((await row(second).getByRole('link', { name: 'https://ci.example/42' }).getAttribute('href')) !== 'https://ci.example/42') throw new Error('the link leads elsewhere')
  await row(second).getByRole('link', { name: 'web-1' }).waitFor()
  await page.getByRole('button', { name: new RegExp(`^${first} for `) }).waitFor()
  await visit.axe()
  await row(second).getByRole('link', { name: 'Changes meanwhile' }).click()
  await page.waitForURL(/\/changes\?.*host=web-1/)
  await page.goBack()

  // Filters are in the URL.
  await page.getByRole('radio', { name: 'Failed' }).click()
  await page.waitForURL(/state=failed/)
  await visit.until('the good one is left out', async () => (await row(first).count()) === 0)
  await page.reload()
  await row(second).waitFor()
  await page.getByRole('textbox', { name: 'Version' }).fill(first)
  await visit.see('No deploy fits')
  await page.getByRole('button', { name: 'Clear' }).click()
  await row(first).waitFor()
  await page.getByRole('combobox', { name: 'Environment' }).selectOption('prod')
  await page.waitForURL(/env=prod/)
  await page.getByRole('button', { name: new RegExp(`^${first} for `) }).click()
  await page.waitForURL((url) => url.searchParams.get('service') === 'shop' && url.searchParams.get('env') === 'prod')

  // Page by page: pages of one.
  await page.route(DEPLOYS, (route) => route.continue({ url: route.request().url().replace('limit=100', 'limit=1') }))
  await visit.open('/deploys')
  await row(second).waitFor()
  await page.getByRole('button', { name: 'Older' }).click()
  await page.waitForURL(/before=\d+/)
  await row(first).waitFor()
  await page.getByRole('button', { name: 'Newer' }).click()
  await row(second).waitFor()
  await page.unroute(DEPLOYS)

  // What was recognised, and what began in a freeze.
  await page.route(DEPLOYS, async (route) => {
    const response = await route.fetch()
    const all = (await response.json()) as Answer
    const like = (more: object): object => ({ ...all.deploys[0], note: null, link: null, state: 'ok', ...more })
    await route.fulfill({ response, json: { ...all, deploys: [like({ id: 3, version: '3.0', source: 'package', package: 'shop', unannounced: true }), like({ id: 4, version: '4.0', freeze: 'weekend', override: null }), like({ id: 5, version: '5.0', source: 'github', state: 'abandoned', by: 'bob' })] } })
  })
  await visit.open('/deploys')
  await row('3.0').locator('.badge', { hasText: 'unannounced' }).waitFor()
  await row('3.0').getByText('package shop', { exact: true }).waitFor()
  await row('4.0').locator('.badge', { hasText: 'in a freeze' }).waitFor()
  await row('5.0').getByText('Given up', { exact: true }).waitFor()
  await row('5.0').getByText('bob (github)', { exact: true }).waitFor()
  await visit.look('deploys-marks', 'unannounced')
  await visit.unroute()
  await freezes(visit)
}

async function freezes(visit: Visit): Promise<void> {
  const { page } = visit
  const why = `nobody is there ${Date.now()}`
  const dialog = page.getByRole('dialog')
  await visit.open('/deploys?view=freezes')
  await page.getByRole('button', { name: 'New freeze' }).click()
  await dialog.getByLabel('Matchers').fill('env=prod')
  await dialog.getByLabel('Comes again').fill('sometimes')
  if (await dialog.getByRole('button', { name: 'Freeze' }).isEnabled()) throw new Error('what is no time can be sent')
  await dialog.getByLabel('Comes again').fill('')
  await dialog.getByLabel('Reason').fill(why)
  await visit.axe()
  await dialog.getByRole('button', { name: 'Freeze' }).click()
  const all = page.getByRole('region', { name: 'All freezes' }).last()
  const mine = all.getByRole('row').filter({ hasText: why })
  await mine.getByText('On', { exact: true }).waitFor()
  const frozen = page.getByRole('region', { name: 'Frozen now' }).last()
  await frozen.getByRole('row').filter({ hasText: 'shop' }).getByText('prod', { exact: true }).waitFor()
  await visit.look('deploys-freezes', why)
  await page.getByRole('button', { name: 'Lift for shop in prod' }).click()
  await dialog.getByLabel('Reason').fill('it cannot wait')
  await dialog.getByRole('button', { name: 'Lift it' }).click()
  await frozen.getByText(/it cannot wait/).waitFor()
  await mine.getByRole('button', { name: /^End freeze/ }).click()
  await dialog.getByRole('button', { name: 'End it' }).click()
  await visit.until('it has ended', async () => (await mine.getByText('On', { exact: true }).count()) === 0)
  await frozen.getByText('it cannot wait').waitFor({ state: 'detached' })
}
