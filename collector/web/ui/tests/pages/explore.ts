// Metrics: what is written is completed, plotted, listed and refused with its place; a host leads to its metrics.
import type { Visit } from '../visit'

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/explore?q=node_load1')
  const series = page.getByRole('region', { name: 'Query A' })
  await series.getByText('web-1').first().waitFor()
  await series.getByText('db-1').first().waitFor()
  // One alone, by a click; the URL keeps it.
  await series.getByRole('button', { name: /web-1/ }).click()
  await page.waitForURL(/qonly=/)

  // Completion of a name, then of a value.
  const field = page.getByRole('textbox', { name: 'Query A' })
  await field.fill('node_loa')
  await series.getByRole('option', { name: 'node_load15' }).waitFor()
  await field.fill('node_load1{host="')
  await series.getByRole('option', { name: /db-1/ }).click()
  await field.press('End')
  await field.pressSequentially('}')
  await field.press('Enter')
  await page.waitForURL(/db-1/)

  // What is wrong is said, in the words of the API.
  visit.allow(/400 /)
  await field.fill('sum(node_load1')
  await field.press('Enter')
  await series.getByRole('alert').waitFor()

  // By host: search, and a click plots.
  await page.getByLabel('Host', { exact: true }).selectOption('web-1')
  await page.getByLabel('Find a metric').fill('node_load5')
  await page.getByRole('button', { name: 'node_load5' }).click()
  await page.waitForURL(/q=node_load5/)

  // A second query, and values.
  await page.getByRole('button', { name: 'Add a query' }).click()
  const second = page.getByRole('textbox', { name: 'Query B' })
  await second.fill('count(node_load1)')
  await second.press('Enter')
  await page.waitForURL(/q2=/)
  await page.getByRole('radio', { name: 'Values' }).click()
  await page.getByRole('region', { name: 'Query B' }).getByRole('cell', { name: '2', exact: true }).waitFor()
  await page.reload()
  await page.getByRole('region', { name: 'Query B' }).getByRole('cell', { name: '2', exact: true }).waitFor()

  await visit.open('/explore?q=node_load1')
  await visit.look('explore', 'By host')
}
