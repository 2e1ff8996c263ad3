// What tests of many rows measure of a page.
import type { Page } from 'playwright-core'

/** Scrolls the list from its head to its end in 120 frames: the longest task meanwhile in ms, and the rows in the document at its end. */
export async function scrolled(page: Page): Promise<{ longest: number; rows: number }> {
  return page.evaluate(async () => {
    const long: number[] = []
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => long.push(entry.duration))).observe({ type: 'longtask' })
    const list = document.querySelector('[role=grid]')
    if (!list) throw new Error('no list')
    for (let at = 0; at < 120; at += 1) {
      list.scrollTop += list.scrollHeight / 120
      await new Promise(requestAnimationFrame)
    }
    return { longest: Math.max(0, ...long), rows: list.querySelectorAll('[role=row]').length }
  })
}

/** When something was painted first, in ms since the page was asked for. */
export async function firstPaint(page: Page): Promise<number> {
  return page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN)
}
