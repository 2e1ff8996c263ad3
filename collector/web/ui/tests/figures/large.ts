// Figures of a collector with many hosts: MUSTER_HOST has a day of metrics, MUSTER_OTHER has no problem until `inject` is printed.
// Each is a line `value NAME NUMBER`.
import { firstPaint, scrolled } from '../measure'
import type { Visit } from '../visit'

const value = (name: string, number: number): void => console.log(`value ${name} ${number.toFixed(1)}`)
const word = (name: string): string => {
  const text = process.env[name]
  if (!text) throw new Error(`${name} is not set`)
  return text
}

/** A page of rows: its first paint, when rows are there, the longest task while it is scrolled. */
async function rows(visit: Visit, name: string, path: string): Promise<void> {
  const { page } = visit
  await visit.open(path)
  await page.locator('[role=grid] [role=row]').nth(5).waitFor()
  value(`${name}_rows_ms`, await page.evaluate(() => performance.now()))
  value(`${name}_paint_ms`, await firstPaint(page))
  const { longest, rows: count } = await scrolled(page)
  if (count > 80) throw new Error(`${count} rows of ${name} are in the document`)
  value(`${name}_task_ms`, longest)
}

/** All plots of a day: from asking for the page until the last of them is drawn. */
async function plots(visit: Visit): Promise<void> {
  const { page } = visit
  // As tall as all of it, so that every plot is in sight at once.
  await page.setViewportSize({ width: 1280, height: 8000 })
  await visit.open(`/hosts/${encodeURIComponent(word('MUSTER_HOST'))}?since=24h&groups=agent`)
  const took = await page.evaluate(async () => {
    const frame = (): Promise<void> => new Promise((done) => requestAnimationFrame(() => done()))
    const there = (): boolean => document.querySelectorAll('.plot canvas').length >= 30 && !document.querySelector('.plot-box .wait')
    while (!there() && performance.now() < 20_000) await frame()
    return performance.now()
  })
  value('host_ms', took)
  value('host_plots', await page.locator('.plot canvas').count())
  await page.setViewportSize({ width: 1280, height: 800 })
}

/** From the moment that the API knows of a problem until it is on a page that was open. */
async function live(visit: Visit): Promise<void> {
  const { page } = visit
  const host = word('MUSTER_OTHER')
  const text = 'CRITICAL: 96 % of /var are used'
  await visit.open(`/?group=none&q=${encodeURIComponent(`host=${host}`)}`)
  await visit.until('the answer', async () => (await page.locator('main .wait').count()) === 0)
  const shown = page.getByText(text).first().waitFor().then(() => Date.now())
  const asked = Date.now()
  console.log('inject')
  // Checks of a host that is silent are problems too: only the text tells this one.
  const knows = async (path: string): Promise<number> => {
    await visit.until(`the problem in ${path}`, async () => JSON.stringify(await visit.api('GET', path)).includes(text))
    return Date.now()
  }
  const name = encodeURIComponent(host)
  const [taken, known] = await Promise.all([knows(`/api/muster/v1/checks?host=${name}`), knows(`/api/muster/v1/problems?host=${name}`)])
  value('live_taken_ms', taken - asked)
  value('live_known_ms', known - asked)
  value('live_ms', Math.max(0, (await shown) - known))
}

export default async function (visit: Visit): Promise<void> {
  await rows(visit, 'problems', '/?group=none')
  await rows(visit, 'fleet', '/fleet')
  await plots(visit)
  await live(visit)
}
