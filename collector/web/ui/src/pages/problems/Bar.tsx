// How many there are of each state, and which are shown, in what groups.
import { Choice, StateMark } from '../../parts'
import type { Param } from '../../url/query'
import { counts, type Show } from './filter'
import { groupable } from './group'
import type { Problem, Severity } from './problem'

export interface BarProps {
  readonly all: readonly Problem[]
  readonly states: readonly string[]
  readonly state: Param
  readonly show: Param
  readonly by: Param
}

const STATES: readonly Severity[] = ['CRITICAL', 'WARNING', 'UNKNOWN']

export function Bar({ all, states, state, show, by }: BarProps) {
  const found = counts(all, show.value as Show)
  const handled = all.filter((problem) => problem.isHandled).length
  const turn = (one: string): void => {
    const next = states.includes(one) ? states.filter((other) => other !== one) : [...states, one]
    state.value = next.join(',')
  }
  const labels = groupable(all)
  return (
    <>
      <span class="chips" role="group" aria-label="States">
        {STATES.map((one) => (
          <button key={one} type="button" class="button small" aria-pressed={states.includes(one)} onClick={() => turn(one)}>
            <StateMark state={one} />
            <strong>{found[one]}</strong>
          </button>
        ))}
      </span>
      <Choice label="Which problems" value={show.value} choices={[['open', `Open ${all.length - handled}`], ['handled', `Handled ${handled}`], ['all', 'All']]} onChoose={(value) => (show.value = value)} />
      <label class="row small soft group-by">
        <span>Group by</span>
        <select value={by.value} onChange={(event) => (by.value = event.currentTarget.value)}>
          <option value="name">name</option>
          <option value="incident">incident</option>
          <option value="host">host</option>
          <option value="none">nothing</option>
          {labels.map((label) => (
            <option key={label} value={label}>
              label {label}
            </option>
          ))}
        </select>
      </label>
    </>
  )
}
