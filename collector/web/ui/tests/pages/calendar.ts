// Calendar: plan by form and by dragging, change, end; the API knows of each; hostile text stays text.
import type { Visit } from '../visit'

const HOSTILE = '<img src=x onerror=alert(1)> upgrade'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  // Times of the configuration, where the collector tells of them.
  const interval = { name: 'nights <b>', periods: [{ times: [{ start_time: '22:00', end_time: '24:00' }], weekdays: ['monday:friday'], location: 'Europe/Berlin' }], mutes: [{ route: '{}/{team="a"}', receiver: 'ops' }], activates: [], is_on: true, next_change_ms: Date.now() + 3_600_000 }
  await page.route('**/api/muster/v1/mutes', (route) => route.fulfill({ json: { version: 1, now_ms: Date.now(), intervals: [interval] } }))
  await visit.open('/calendar?view=list')
  await visit.see('monday to friday, 22:00 to 24:00, Europe/Berlin')
  await visit.look('calendar-mutes', 'nights <b>')
  await page.unroute('**/api/muster/v1/mutes')
  await visit.open('/calendar?view=week')
  await page.getByRole('group', { name: 'Week' }).waitFor()

  // A downtime that comes again, by the form.
  await page.getByRole('button', { name: 'New', exact: true }).click()
  await page.getByLabel('Matchers').fill('host="web-1"')
  await visit.see(/1 host/)
  await page.getByLabel('Comes again').fill('daily 2-4')
  await visit.see(/write such as/)
  await page.getByLabel('Comes again').fill('daily 02:00-04:00')
  await page.getByLabel('Why').fill(HOSTILE)
  await page.getByRole('radio', { name: '7d' }).click()
  // A day more: where it is Monday before two o'clock, a week ends before the next week's first time.
  const to = page.getByLabel(/^To/)
  await to.fill(new Date(Date.parse(`${await to.inputValue()}Z`) + 86_400_000).toISOString().slice(0, 16))
  await visit.axe()
  await page.getByRole('button', { name: 'Plan', exact: true }).click()
  const downtimes = async (): Promise<{ id: number; reason: string; every: string; by: string }[]> => ((await visit.api('GET', '/api/muster/v1/downtimes')) as { downtimes: never[] }).downtimes
  await visit.until('the downtime', async () => (await downtimes()).some((one) => one.reason === HOSTILE && one.every === 'daily 02:00-04:00' && one.by.includes(visit.user)))
  await page.getByRole('button', { name: 'After' }).click()
  await visit.see(/onerror=alert/)

  // A span that is dragged is the form's.
  const track = page.locator('.week .day').nth(6).locator('.track')
  const box = await track.boundingBox()
  if (!box) throw new Error('no day is drawn')
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.75, { steps: 4 })
  await page.mouse.up()
  await page.getByRole('radio', { name: 'Silence', exact: true }).click()
  await page.getByLabel('Matchers').fill('alertname="Nothing"')
  await page.getByLabel('Why').fill('a planned silence')
  await page.getByRole('dialog').getByRole('button', { name: 'Silence', exact: true }).click()
  type Silence = { id: string; comment: string; startsAt: string; endsAt: string; status: { state: string } }
  const silence = async (comment: string): Promise<Silence | undefined> => ((await visit.api('GET', '/api/v2/silences')) as Silence[]).find((one) => one.comment === comment && one.status.state !== 'expired')
  await visit.until('the silence', async () => (await silence('a planned silence')) !== undefined)
  const made = await silence('a planned silence')
  const hours = made ? (Date.parse(made.endsAt) - Date.parse(made.startsAt)) / 3_600_000 : 0
  if (hours !== 6) throw new Error(`a quarter of a day was dragged, and ${hours} h came of it`)
  await visit.look('calendar', 'Not over')

  // Over several days; and by keys alone.
  const day = async (at: number) => (await page.locator('.week .track').nth(at).boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 }
  const spanIn = async (): Promise<number> => {
    const [from, to] = [await page.getByLabel(/^From/).inputValue(), await page.getByLabel(/^To/).inputValue()]
    return (Date.parse(to) - Date.parse(from)) / 3_600_000
  }
  const [first, last] = [await day(1), await day(3)]
  await page.mouse.move(first.x + 4, first.y + first.height * 0.75)
  await page.mouse.down()
  await page.mouse.move(last.x + 20, last.y + last.height * 0.25, { steps: 6 })
  await page.mouse.up()
  if ((await spanIn()) !== 36) throw new Error(`a day and a half was dragged, and ${await spanIn()} h came of it`)
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  const week = page.locator('.week')
  await week.focus()
  for (const key of ['ArrowDown', 'Shift+ArrowDown', 'Shift+ArrowDown', 'ArrowLeft']) await week.press(key)
  await page.getByRole('status').filter({ hasText: / to \d\d:\d\d/ }).waitFor({ state: 'attached' })
  await week.press('Enter')
  if ((await spanIn()) !== 2) throw new Error(`two hours were chosen by keys, and ${await spanIn()} h came of it`)
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()

  await visit.open('/calendar?view=month')
  await visit.see(/onerror=alert/)
  await visit.look('calendar-month', /onerror=alert/)

  // Changed, then ended, after asking.
  await visit.open('/calendar?view=list&q=planned')
  await visit.look('calendar-list', /Nothing/)
  await page.getByRole('button', { name: 'alertname="Nothing"' }).click()
  await visit.look('calendar-detail', 'a planned silence')
  await page.getByRole('button', { name: 'Change' }).click()
  await page.getByLabel('Why').fill('a planned change')
  await page.getByRole('button', { name: 'Change', exact: true }).click()
  await visit.until('the change', async () => (await silence('a planned change')) !== undefined)
  await visit.see('a planned change')
  await page.getByRole('button', { name: 'alertname="Nothing"' }).click()
  await page.getByRole('button', { name: 'End it' }).click()
  await page.getByRole('button', { name: 'Yes, end it now' }).click()
  await visit.until('its end', async () => (await silence('a planned change')) === undefined)
  // Other tests' problems are not held back by it.
  for (const { id, reason } of await downtimes()) if (reason === HOSTILE) await visit.api('DELETE', `/api/muster/v1/downtimes/${id}`)
}
