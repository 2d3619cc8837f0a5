import type { OfficerId } from '#platform/ids';
import { AnotherOfficerRequired, ProposalClosed, ProposerRequired } from '../approvals.errors.js';

export type DecidedState = 'approved' | 'rejected' | 'withdrawn';
export type ProposalState = 'open' | 'expired' | DecidedState;

export interface ProposalTerms {
  readonly state: 'open' | DecidedState;
  readonly proposedBy: OfficerId;
  readonly expiresAt: Date;
}

/** The state at `now`: nobody has to look for an open one to expire. */
export function proposalState(
  { state, expiresAt }: Omit<ProposalTerms, 'proposedBy'>,
  now: Date,
): ProposalState {
  return state === 'open' && expiresAt <= now ? 'expired' : state;
}

/** Throws unless `officerId` may bring the proposal into that state at `now`. */
export function requireDecidable(
  proposal: ProposalTerms,
  to: DecidedState,
  officerId: OfficerId,
  now: Date,
): void {
  if (proposalState(proposal, now) !== 'open') throw new ProposalClosed();
  const own = proposal.proposedBy === officerId;
  if (to === 'withdrawn' && !own) throw new ProposerRequired();
  if (to !== 'withdrawn' && own) throw new AnotherOfficerRequired();
}
