// Alerts: found and filtered; one of them tells why, who is told, its mail; silenced from here.
import type { Visit } from '../visit'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  visit.push('web-1', 'alerting', 'CRITICAL', 'the battery is flat <img src=x onerror=alert(9)>')
  type Alert = { id: string; state: string; labels: Record<string, string>; origin: { check?: string } }
  const find = async (): Promise<Alert | undefined> => ((await visit.api('GET', '/api/muster/v1/alerts?all=true')) as { alerts: Alert[] }).alerts.find((one) => one.origin.check === 'alerting' && one.state === 'firing')
  await visit.until('the alert', async () => (await find()) !== undefined)
  const alert = await find()
  if (!alert) throw new Error('no alert')

  await visit.open('/alerts?q=host%3Dweb-1+battery&group=host')
  await visit.see(/battery is flat/)
  await visit.look('alerts', /battery is flat/)
  await visit.open('/alerts?q=nothing-of-this-name')
  await visit.see('No alert fits the filter')

  await visit.open(`/alerts/${alert.id}`)
  await visit.see('Who is told')
  await page.getByText('the battery is flat').first().waitFor()
  await page.locator('.tree').getByText(/goes here|passes/).first().waitFor()
  await page.getByRole('button', { name: 'Preview' }).click()
  await page.locator('pre.mail').filter({ hasText: 'battery' }).waitFor()
  await visit.look('alert', 'Who is told')

  // Silenced from here: what it says is hit is this alert.
  await page.getByRole('button', { name: 'Silence', exact: true }).click()
  await visit.see(/It hits/)
  await page.getByLabel('Why').fill('a test of alerts')
  await visit.axe()
  await page.getByRole('dialog').getByRole('button', { name: 'Silence', exact: true }).click()
  await visit.until('the silence', async () => ((await visit.api('GET', '/api/v2/silences')) as { comment: string }[]).some((one) => one.comment === 'a test of alerts'))
  await visit.see(/Held back/)

  // Acknowledged by its key.
  await page.locator('main').focus()
  await page.keyboard.press('a')
  const isTaken = async (): Promise<boolean> => ((await visit.api('GET', '/api/muster/v1/checks')) as { checks: { check: string; acknowledgement: unknown }[] }).checks.some((one) => one.check === 'alerting' && one.acknowledgement !== null)
  await visit.until('the acknowledgement', isTaken)
}
