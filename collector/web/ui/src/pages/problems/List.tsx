// The list: heads of groups, and problems in two lines; on a phone in three.
import { useSignal, type Signal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { Age, Icon, StateMark, VirtualRows } from '../../parts'
import { varied } from '../../parts/virtual'
import { count } from '../../time/format'
import { worst, type Group, type Row } from './group'
import { Badges } from './Holds'
import type { Problem } from './problem'

export interface ListProps {
  readonly rows: readonly Row[]
  readonly chosen: Signal<ReadonlySet<string>>
  readonly active: Signal<number>
  readonly onChoose: (ids: readonly string[]) => void
  readonly onTurn: (key: string) => void
  readonly onOpen: (problem: Problem) => void
}

/** Narrower than this a row has three lines. */
const PHONE = 620

const idsOf = (row: Row | undefined): readonly string[] => (row === undefined ? [] : row.kind === 'problem' ? [row.problem.id] : row.group.problems.map((problem) => problem.id))

function Box({ name, isOn, onTurn }: { readonly name: string; readonly isOn: boolean; readonly onTurn: () => void }) {
  return (
    <span role="gridcell" class="box">
      <input type="checkbox" aria-label={name} checked={isOn} onChange={onTurn} />
    </span>
  )
}

function Head({ group, isFolded, onTurn }: { readonly group: Group; readonly isFolded: boolean; readonly onTurn: () => void }) {
  return (
    <span role="gridcell" class="group-head">
      <button type="button" class="fold" aria-expanded={!isFolded} onClick={onTurn}>
        <Icon sign={isFolded ? 'right' : 'down'} size={13} />
        <StateMark state={worst(group)} short />
        <strong class="cut">{group.title}</strong>
        <span class="soft nowrap">
          {count(group.problems.length, 'problem')}
          {group.hosts > 1 && ` on ${count(group.hosts, 'host')}`}
        </span>
      </button>
    </span>
  )
}

function Entry({ problem, onOpen, isPhone }: { readonly problem: Problem; readonly onOpen: () => void; readonly isPhone: boolean }) {
  const name = (
    <button type="button" class="open cut" tabIndex={-1} onClick={onOpen}>
      {problem.name}
    </button>
  )
  const host = problem.host && <span class="host cut">{problem.host}</span>
  if (isPhone) {
    return (
      <span role="gridcell" class="entry-cell">
        <span class="line">
          <StateMark state={problem.state} />
          <span class="grow" />
          {problem.owner && <span class="small soft cut">{problem.owner}</span>}
          <span class="small soft">
            <Age ms={problem.since} />
          </span>
        </span>
        <span class="line">
          {name}
          {host}
          <span class="line badges">
            <Badges problem={problem} />
          </span>
        </span>
        <span class="text cut">{problem.text}</span>
      </span>
    )
  }
  return (
    <>
      <span role="gridcell">
        <StateMark state={problem.state} />
      </span>
      <span role="gridcell" class="entry-cell">
        <span class="line">
          {name}
          {host}
          <span class="line badges">
            <Badges problem={problem} />
          </span>
        </span>
        <span class="text cut" title={problem.text}>
          {problem.text}
        </span>
      </span>
      <span role="gridcell" class="small soft cut" title={problem.owner ? `owner: ${problem.owner}` : undefined}>
        {problem.owner}
      </span>
      <span role="gridcell" class="right soft">
        <Age ms={problem.since} />
      </span>
    </>
  )
}

export function List({ rows, chosen, active, onChoose, onTurn, onOpen }: ListProps) {
  const width = useSignal(1000)
  const isPhone = width.value < PHONE
  const heights = useMemo(() => varied(rows.map((row) => (row.kind === 'group' ? 38 : isPhone ? 76 : 54))), [rows, isPhone])
  const isChosen = (at: number): boolean => {
    const ids = idsOf(rows[at])
    return ids.length > 0 && ids.every((id) => chosen.value.has(id))
  }
  const open = (at: number): void => {
    const row = rows[at]
    if (row?.kind === 'group') onTurn(row.group.key)
    else if (row) onOpen(row.problem)
  }
  return (
    <VirtualRows
      label="Problems"
      class="fills problem-rows"
      heights={heights}
      columns={isPhone ? 2 : 5}
      active={active}
      keyOf={(at) => {
        const row = rows[at]
        return row === undefined ? String(at) : row.kind === 'group' ? `group ${row.group.key}` : row.problem.id
      }}
      isChosen={isChosen}
      onChoose={(at) => onChoose(idsOf(rows[at]))}
      onOpen={open}
      onWidth={(now) => (width.value = now)}
      row={(at) => {
        const row = rows[at]
        if (row === undefined) return null
        const name = row.kind === 'group' ? `Choose all of ${row.group.title}` : `Choose ${row.problem.name} on ${row.problem.host || 'no host'}`
        const box = <Box name={name} isOn={isChosen(at)} onTurn={() => onChoose(idsOf(row))} />
        if (row.kind === 'group') {
          return (
            <div class="cells group-cells" role="presentation">
              {box}
              <Head group={row.group} isFolded={row.isFolded} onTurn={() => onTurn(row.group.key)} />
            </div>
          )
        }
        return (
          <div class={`cells problem-cells${row.isInner ? ' inner' : ''}${isPhone ? ' phone' : ''}`} role="presentation">
            {box}
            <Entry problem={row.problem} onOpen={() => onOpen(row.problem)} isPhone={isPhone} />
          </div>
        )
      }}
    />
  )
}
