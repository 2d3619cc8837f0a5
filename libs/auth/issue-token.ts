import { AuditLog } from '#audit/audit-log';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { AccessTokens } from './access-tokens.js';
import { InvalidScope } from './auth.errors.js';
import { ClientAuthenticator, type PresentedCredentials } from './client-authenticator.js';
import { isScope, splitScopes } from './scopes.js';

/** RFC 6749 section 5.1. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly scope: string;
}

/** The client credentials grant, RFC 6749 section 4.4. Without `scope` the client gets all that it was given. */
export class IssueToken extends Command<TokenResponse> {
  constructor(
    readonly credentials: PresentedCredentials,
    readonly scope: string | undefined,
  ) {
    super();
  }
}

@CommandHandler(IssueToken)
export class IssueTokenHandler implements ICommandHandler<IssueToken> {
  constructor(
    private readonly db: DataSource,
    private readonly authenticator: ClientAuthenticator,
    private readonly tokens: AccessTokens,
    private readonly audit: AuditLog,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute({ credentials, scope }: IssueToken): Promise<TokenResponse> {
    const client = await this.authenticator.authenticate(credentials);
    return this.audit.recordingRefusals({ type: 'token.refused', clientId: client.id }, async () => {
      const asked = scope === undefined ? client.scopes : splitScopes(scope);
      const granted = asked.filter(isScope).filter((name) => client.scopes.includes(name));
      if (granted.length === 0 || granted.length !== asked.length) throw new InvalidScope();
      const { token, jti } = await this.tokens.sign(client.id, granted);
      const details = { jti, scopes: granted.join(' ') };
      await this.audit.append(this.db.manager, {
        type: 'token.issued',
        outcome: 'ok',
        clientId: client.id,
        details,
      });
      return {
        access_token: token,
        token_type: 'Bearer',
        expires_in: this.config.accessTokenSeconds,
        scope: granted.join(' '),
      };
    });
  }
}
