import { AuditLog } from '#audit/audit-log';
import { asId, type ClientId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { DataSource, IsNull } from 'typeorm';
import { validate } from 'uuid';
import { InvalidClient } from './auth.errors.js';
import { Client } from './internal/client.entity.js';
import type { Scope } from './scopes.js';
import { SecretHashes } from './secret-hashes.js';

export interface PresentedCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface AuthenticatedClient {
  readonly id: ClientId;
  readonly scopes: readonly Scope[];
}

@Injectable()
export class ClientAuthenticator {
  constructor(
    private readonly db: DataSource,
    private readonly secrets: SecretHashes,
    private readonly audit: AuditLog,
  ) {}

  /** Throws InvalidClient, the same for an unknown client, a disabled one and a wrong secret. */
  async authenticate({ clientId, clientSecret }: PresentedCredentials): Promise<AuthenticatedClient> {
    const id = validate(clientId) ? asId<'client'>(clientId) : undefined;
    const client =
      id === undefined ? null : await this.db.manager.findOneBy(Client, { id, disabledAt: IsNull() });
    const right = await this.secrets.verify(client?.secretHash, clientSecret);
    if (client === null || !right) {
      const event = { type: 'token.refused', outcome: 'refused', code: 'invalid_client' } as const;
      await this.audit.append(this.db.manager, client === null ? event : { ...event, clientId: client.id });
      throw new InvalidClient();
    }
    return { id: client.id, scopes: client.scopes };
  }
}
