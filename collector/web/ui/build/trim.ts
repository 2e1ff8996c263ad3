// Leaves out of uPlot what no page uses: logarithmic scales, bars, steps and curves, its legend, its own texts for times, joins of tables.
//
// uPlot comes as one function that has all of it, so a bundler cannot see what is unused. Where its text decides whether a part is there, the
// decision is written as the constant that it is here, and the minifier drops the rest. Its version is exact (package.json); a text that is
// not found as often as it was is refused, so that another version is looked at before it is used.
import type { Plugin } from 'vite'

/** What is written instead of what. */
const CUTS: readonly (readonly [before: string, after: string])[] = [
  ['(paths.stepped = stepped);', ''],
  ['(paths.bars    = bars);', ''],
  ['(paths.spline  = monotoneCubic);', ''],
  ['uPlot.fmtDate = fmtDate;', ''],
  ['uPlot.join = join;', ''],
  ['uPlot.assign = assign;', ''],
  ['uPlot.fmtNum = fmtNum;', ''],
  ['uPlot.rangeNum = rangeNum;', ''],
  ['uPlot.rangeLog = rangeLog;', ''],
  ['uPlot.rangeAsinh = rangeAsinh;', ''],
  ['uPlot.orient   = orient;', ''],
  // The pages have legends of their own.
  ['const showLegend = legend.show;', 'const showLegend = false;'],
  // 1: values over time, 2: points in a plane.
  ['const mode = self.mode;', 'const mode = 1;'],
  // Times are seconds.
  ['const ms = opts.ms || 1e-3;', 'const ms = 1e-3;'],
  // Texts of times are made by `time/format.ts`.
  ['const _fmtDate = (opts.fmtDate || fmtDate);', ''],
  ['const _timeAxisVals   = timeAxisVals(_tzDate, timeAxisStamps((ms == 1 ? _timeAxisStampsMs : _timeAxisStampsS), _fmtDate));', ''],
  ['const _timeSeriesVal  = timeSeriesVal(_tzDate, timeSeriesStamp(_timeSeriesStamp, _fmtDate));', ''],
  ['isTime ? (isStr(sv) ? timeSeriesVal(_tzDate, timeSeriesStamp(sv, _fmtDate)) : sv || _timeSeriesVal) : sv || numSeriesVal', 'numSeriesVal'],
  ['timeAxisVals(_tzDate, timeAxisStamps(av, _fmtDate)) :', 'av :'],
  ['timeAxisVal(_tzDate, av) :', 'av :'],
  ['av || _timeAxisVals', 'av'],
]

/** How values are spread on a scale: 1, evenly, on each of ours. */
const SPREAD = /\b(?:sc|wsc|scale|scaleX)\.distr\b/g
const SPREADS = 28

/** uPlot's text without what is unused. */
export function trimmed(text: string): string {
  for (const [before, after] of CUTS) {
    const found = text.split(before).length - 1
    if (found !== 1) throw new Error(`build/trim.ts: uPlot has \`${before}\` ${found} times: look at what its version changed`)
    text = text.replace(before, () => after)
  }
  const found = text.match(SPREAD)?.length ?? 0
  if (found !== SPREADS) throw new Error(`build/trim.ts: uPlot has ${found} places that ask how a scale is spread, not ${SPREADS}: look at what its version changed`)
  return text.replace(SPREAD, '1')
}

export function trim(): Plugin {
  return {
    name: 'muster-trim',
    transform(code, id) {
      return /\/uplot\/dist\/uPlot\.esm\.js/.test(id) ? { code: trimmed(code), map: null } : undefined
    },
  }
}
