// A card with a heading and what can be done in it, and a small table: the ones of a page that has several things to show.
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

export interface SectionProps {
  readonly title: ComponentChildren
  /** Beside the heading, in grey. */
  readonly note?: ComponentChildren
  readonly actions?: ComponentChildren
  readonly class?: string
  readonly children: ComponentChildren
}

export function Section({ title, note, actions, children, class: more = '' }: SectionProps) {
  const id = useId()
  return (
    <section class={`card section ${more}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {note && <span class="soft small">{note}</span>}
        {actions && <div class="row actions">{actions}</div>}
      </header>
      {children}
    </section>
  )
}

/** A column's title, and the classes of its cells: `right`, `wide` (left out on phones). */
export type Head = readonly [title: ComponentChildren, classes?: string]

export interface SmallTableProps {
  readonly label: string
  readonly heads: readonly Head[]
  /** Rows of cells; a key for each. */
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[]; readonly class?: string }[]
  /** What is said where there are none. */
  readonly none: ComponentChildren
}

/** A table of some dozens of rows; thousands are for VirtualTable. */
export function SmallTable({ label, heads, rows, none }: SmallTableProps) {
  if (rows.length === 0) return <p class="none soft">{none}</p>
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {heads.map(([title, classes], at) => (
              <th key={at} class={classes} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key} class={row.class}>
              {row.cells.map((cell, at) => (
                <td key={at} class={heads[at]?.[1]}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
