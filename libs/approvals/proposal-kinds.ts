import type { OfficerScope } from '#officers/officer-scopes';
import type { ProposalId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** What two officers can agree on. Who wires the parts together says how it is done. */
export interface ProposalKind<Payload> {
  /** Both officers need all of them. */
  readonly scopes: readonly OfficerScope[];
  /** Throws what is wrong with it. */
  read(json: unknown): Payload;
  /** What it would change, as it is now: another text once it was changed. Throws if it is not there. */
  basis(tx: EntityManager, payload: Payload): Promise<string>;
  /** In the transaction of the approval, after everything else that could refuse it. */
  carryOut(tx: EntityManager, payload: Payload, proposalId: ProposalId): Promise<void>;
  /** Once it has committed. */
  afterwards?(payload: Payload): Promise<void>;
}

/** A kind that reads what it is given by itself. */
export type RegisteredKind = Omit<ProposalKind<unknown>, 'read'>;

@Injectable()
export class ProposalKinds {
  private readonly kinds = new Map<string, RegisteredKind>();

  register<Payload>(name: string, kind: ProposalKind<Payload>): void {
    this.kinds.set(name, {
      scopes: kind.scopes,
      basis: async (tx, json) => kind.basis(tx, kind.read(json)),
      carryOut: async (tx, json, proposalId) => kind.carryOut(tx, kind.read(json), proposalId),
      afterwards: async (json) => kind.afterwards?.(kind.read(json)),
    });
  }

  get(name: string): RegisteredKind | undefined {
    return this.kinds.get(name);
  }
}
