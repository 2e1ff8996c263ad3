// Profiles: the list, one with its document, one that is written, planned, applied and rolled out; a roll-out that stopped; mistakes at their lines.
import type { Visit } from '../visit'

const NAME = 'pages-shop'
const TEXT = `profile: ${NAME}\ndescription: Written in a page.\nselector:\n  labels: '{role="web"}'\naccept: auto\nlogs:\n- paths: [/var/log/pages-shop/*.log]\n  labels: {app: shop}\n`

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  const dialog = page.getByRole('dialog')
  await visit.open('/profiles')
  const all = page.getByRole('region', { name: 'All profiles' }).last()
  await all.getByRole('link', { name: 'nginx', exact: true }).click()
  await page.waitForURL(/profile=nginx/)
  const one = page.getByRole('region', { name: 'nginx', exact: true })
  await one.locator('pre').filter({ hasText: 'profile: nginx' }).waitFor()
  await visit.look('profiles', /profile: nginx/)

  // What is wrong is said at its line, and the caret goes there.
  await page.getByRole('button', { name: 'New profile' }).click()
  const field = page.getByLabel('Documents')
  visit.allow(/400 .*\/profiles\/plan$/)
  await field.fill('profile: x\nchecks:\n- name: a\n  command: [/bin/sh]\n')
  await page.getByRole('button', { name: 'Plan' }).click()
  await visit.see(/brings no command/)
  await page.getByRole('button', { name: 'Line 4' }).click()
  const [from, to] = await field.evaluate((area: HTMLTextAreaElement) => [area.selectionStart, area.selectionEnd])
  if ((await field.inputValue()).slice(from, to) !== '  command: [/bin/sh]') throw new Error(`line 4 is not chosen: ${from} ${to}`)
  await visit.axe()

  // Planned: what changes on which host; written anew it is planned anew; applied with a reason.
  await field.fill(TEXT)
  await page.getByRole('button', { name: 'Plan' }).click()
  const plan = page.getByRole('region', { name: 'Plan' })
  await plan.getByText('The configuration of 1 host changes').waitFor()
  await plan.getByText('+paths = ["/var/log/pages-shop/*.log"]').waitFor()
  await field.fill(TEXT.replace('Written', 'Made'))
  await visit.until('the plan is of the text before', async () => (await plan.count()) === 0)
  await page.getByRole('button', { name: 'Plan' }).click()
  await plan.getByText('web-1').first().waitFor()
  await visit.axe()
  await page.getByRole('button', { name: 'Apply' }).click()
  if (await dialog.getByRole('button', { name: 'Apply' }).isEnabled()) throw new Error('it can be applied without a reason')
  await dialog.getByLabel('Reason').fill('a shop opens')
  await dialog.getByLabel('Reason').press('Enter')
  await all.getByRole('link', { name: NAME, exact: true }).waitFor()
  await page.getByText(/The roll-out of version \d+ is running/).waitFor()

  // The roll-out: stopped, gone on with, reverted.
  await page.getByRole('link', { name: 'See it' }).click()
  await visit.see('wave 1 of 3: one host')
  await page.getByRole('button', { name: 'Stop' }).click()
  await dialog.getByLabel('Reason').fill('let us see')
  await dialog.getByRole('button', { name: 'Stop' }).click()
  await page.getByText('Stopped', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Go on' }).click()
  await dialog.getByRole('button', { name: 'Go on' }).click()
  await page.getByText('Running', { exact: true }).waitFor()
  await page.getByRole('img', { name: /1 host: / }).waitFor()
  await page.getByRole('button', { name: 'Revert' }).click()
  await dialog.getByLabel('Reason').fill('it is wrong')
  await dialog.getByRole('button', { name: 'Revert' }).click()
  await page.getByRole('region', { name: 'Roll-outs that were' }).getByText('Reverted', { exact: true }).first().waitFor()
  await visit.until('the profile is gone with it', async () => !JSON.stringify(await visit.api('GET', '/api/muster/v1/profiles')).includes(NAME))

  // Versions say why; their documents are there.
  await page.getByRole('link', { name: 'Versions', exact: true }).click()
  const made = page.getByRole('row').filter({ hasText: 'a shop opens' }).first()
  await page.getByRole('row').filter({ hasText: 'it is wrong' }).first().waitFor()
  await made.getByRole('button').click()
  await page.waitForURL(/version=\d+/)
  await page.getByText(NAME).first().click()
  await page.locator('pre').filter({ hasText: 'Made in a page.' }).waitFor()
  await visit.look('profiles-versions', /a shop opens/)

  // A roll-out with failures, as it is told.
  const row = { set: 9, base: 8, state: 'stopped', wave: 1, reason: 'more than one has failed', by: 'user:ann', begun_ms: Date.now() - 60_000, changed_ms: Date.now(), hosts: 100, good: 3, failed: [{ id: 'x', host: 'web-1', problem: 'logs: it is outside: allow it', at_ms: Date.now() }] }
  await page.route('**/profiles/rollouts', (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify({ version: 1, rollouts: [row, { ...row, set: 7, state: 'done', failed: [] }] }) }))
  await visit.open('/profiles?view=rollouts')
  await visit.see('wave 2 of 3: 5 % of all')
  await page.getByRole('img', { name: '100 hosts: 3 good, 1 failed, 96 waiting' }).waitFor()
  await page.getByText('logs: it is outside: allow it').waitFor()
  await visit.look('profiles-rollouts', 'wave 2 of 3: 5 % of all')
  await visit.unroute()

  // One's own in place of a built-in one, and removed again.
  await visit.open('/profiles?profile=redis')
  await page.getByRole('button', { name: 'Edit as its own' }).click()
  await field.fill((await field.inputValue()) + '# ours\n')
  await page.getByRole('button', { name: 'Plan' }).click()
  await plan.getByText('The configuration of no host changes').waitFor()
  await page.getByRole('button', { name: 'Apply' }).click()
  await dialog.getByLabel('Reason').fill('ours')
  await dialog.getByLabel('Reason').press('Enter')
  await visit.see(/It hides that of built in/)
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByRole('button', { name: 'Plan' }).click()
  await page.getByRole('button', { name: 'Apply' }).click()
  await dialog.getByLabel('Reason').fill('the built-in one will do')
  await dialog.getByLabel('Reason').press('Enter')
  await visit.until('the built-in one counts', async () => ((await visit.api('GET', '/api/muster/v1/profiles/named/redis')) as { profile: { source: string } }).profile.source === 'built_in')
}
