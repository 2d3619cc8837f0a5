import { ShutOutClient } from '#auth/shut-out-client';
import { DisableOfficer } from '#officers/disable-officer';
import { ListOfficers } from '#officers/list-officers';
import { ResetOfficer } from '#officers/reset-officer';
import { Injectable } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { Erasure } from '../erasure-shipment.js';

type ShuttingOut = Erasure & {
  readonly type: 'officer.disabled' | 'officer.reset' | 'client.disabled' | 'client.secret_rotated';
};

export function shutsOut(erasure: Erasure): erasure is ShuttingOut {
  return /^(officer|client)\./.test(erasure.type);
}

/** Officers and clients who were not let in any more are not after a restore either. */
@Injectable()
export class ShuttingOutAgain {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  /** Answers whether there was anybody to be shut out. */
  async apply(erasure: ShuttingOut): Promise<boolean> {
    const { type, client_id: clientId, secret_hash: hash } = erasure;
    if (type === 'officer.disabled' || type === 'officer.reset') return this.officer(erasure);
    if (clientId === null) throw new Error('a client without its id');
    return this.commands.execute(
      new ShutOutClient(
        clientId,
        type === 'client.disabled'
          ? { as: 'disabled' }
          : { as: 'secret_rotated', secretHash: hash ?? undefined },
      ),
    );
  }

  /** Who was reset is in nobody's hands until an operator resets them again: the new code is told to nobody. */
  private async officer({ type, officer_id: officerId }: ShuttingOut): Promise<boolean> {
    if (officerId) {
      await this.commands.execute(
        type === 'officer.disabled' ? new DisableOfficer(officerId) : new ResetOfficer(officerId),
      );
      return true;
    }
    // A worker of the version before shipped that somebody was shut out, and not who: then nobody is let in.
    const officers = await this.queries.execute(new ListOfficers());
    const active = officers.filter(({ state }) => state !== 'disabled');
    for (const { id } of active) await this.commands.execute(new ResetOfficer(id));
    return active.length > 0;
  }
}
