import { AuditLog } from '#audit/audit-log';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { AccessTokens } from './access-tokens.js';
import { Unauthenticated } from './auth.errors.js';
import { ClientAuthenticator, type PresentedCredentials } from './client-authenticator.js';
import { Denylist } from './denylist.js';

/**
 * RFC 7009: the client takes back one of its own tokens. A token that is invalid, or another client's, is no error
 * (section 2.2): there is nothing to take back.
 */
export class RevokeToken extends Command<void> {
  constructor(
    readonly credentials: PresentedCredentials,
    readonly token: string,
  ) {
    super();
  }
}

@CommandHandler(RevokeToken)
export class RevokeTokenHandler implements ICommandHandler<RevokeToken> {
  constructor(
    private readonly db: DataSource,
    private readonly authenticator: ClientAuthenticator,
    private readonly tokens: AccessTokens,
    private readonly denylist: Denylist,
    private readonly audit: AuditLog,
  ) {}

  async execute({ credentials, token }: RevokeToken): Promise<void> {
    const client = await this.authenticator.authenticate(credentials);
    const revoked = await this.tokens.verify(token).catch((error: unknown) => {
      if (error instanceof Unauthenticated) return undefined;
      throw error;
    });
    if (revoked === undefined || !('clientId' in revoked) || revoked.clientId !== client.id) return;
    const { jti, expiresAt } = revoked;
    await this.db.transaction(async (tx) => {
      const added = await tx.query<unknown[]>(
        `INSERT INTO revoked_token (jti, client_id, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (jti) DO NOTHING RETURNING jti`,
        [jti, client.id, expiresAt],
      );
      if (added.length === 0) return;
      await this.audit.append(tx, {
        type: 'token.revoked',
        outcome: 'ok',
        clientId: client.id,
        details: { jti },
      });
    });
    await this.denylist.denyToken(jti, expiresAt);
  }
}
