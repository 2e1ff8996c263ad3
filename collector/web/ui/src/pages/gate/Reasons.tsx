// A verdict with its reasons: what each does, in words, and where it is seen.
import type { GateReason, Verdict } from '../../api/deploys'
import { own } from '../../api/own'
import { Link, StateMark } from '../../parts'
import { isPage } from '../../url/link'

const SAYS: Readonly<Record<Verdict, string>> = { go: 'Nothing speaks against it.', 'no-go': 'It is not to go there.', unknown: 'Not enough is known to let it go there.' }

export function Reasons({ verdict, reasons }: { readonly verdict: Verdict; readonly reasons: readonly GateReason[] }) {
  return (
    <>
      <p class="row">
        <StateMark state={verdict} size={18} /> <span class="soft">{own(SAYS, verdict)}</span>
      </p>
      <ul class="reasons" aria-label="Reasons">
        {reasons.map((one, at) => (
          <li key={at} class={one.lifted ? 'soft' : ''}>
            <StateMark state={one.effect} short />
            <span class="any-word">
              {one.text} <span class="small soft mono">{one.code}</span> {one.lifted && <span class="badge">lifted</span>} {isPage(one.evidence) && <Link to={one.evidence} class="small">see it</Link>}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}
