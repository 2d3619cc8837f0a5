import { InsufficientScope } from '#auth/auth.errors';
import { OfficerDirectory } from '#officers/officer-directory';
import type { OfficerId, ProposalId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ProposalNotFound, ProposalStale } from '../approvals.errors.js';
import { ProposalKinds, type RegisteredKind } from '../proposal-kinds.js';
import { type DecidedState, type ProposalTerms, requireDecidable } from './proposal-state.js';

export interface ProposalRow {
  readonly id: ProposalId;
  readonly kind: string;
  readonly payload: object;
  readonly basis: string;
  readonly state: ProposalTerms['state'];
  readonly proposed_by: OfficerId;
  readonly proposed_at: Date;
  readonly expires_at: Date;
  readonly decided_by: OfficerId | null;
  readonly decided_at: Date | null;
  /** The database's time, by which expiry is judged. */
  readonly now: Date;
}

export const PROPOSAL = 'SELECT p.*, now() AS now FROM proposal p';

@Injectable()
export class ProposalLedger {
  constructor(
    private readonly kinds: ProposalKinds,
    private readonly officers: OfficerDirectory,
  ) {}

  /**
   * Closes a proposal, if the officer may: whoever decides needs what its kind asks for, and so does, for an approval, who
   * proposed it. Both stay what they are until `tx` ends.
   */
  async close(
    tx: EntityManager,
    id: ProposalId,
    to: DecidedState,
    officerId: OfficerId,
  ): Promise<{ readonly proposal: ProposalRow; readonly kind: RegisteredKind }> {
    const [proposal] = await tx.query<ProposalRow[]>(`${PROPOSAL} WHERE id = $1 FOR UPDATE`, [id]);
    if (proposal === undefined) throw new ProposalNotFound();
    const { state, proposed_by: proposedBy, expires_at: expiresAt, now } = proposal;
    requireDecidable({ state, proposedBy, expiresAt }, to, officerId, now);
    const kind = this.kinds.get(proposal.kind);
    if (kind === undefined) throw new ProposalStale();
    const allowed = await this.officers.holdAllowed(tx, [officerId, proposedBy], kind.scopes);
    if (!allowed.has(officerId)) throw new InsufficientScope();
    if (to === 'approved' && !allowed.has(proposedBy)) throw new ProposalStale();
    await tx.query('UPDATE proposal SET state = $2, decided_by = $3, decided_at = now() WHERE id = $1', [
      id,
      to,
      officerId,
    ]);
    return { proposal, kind };
  }
}
