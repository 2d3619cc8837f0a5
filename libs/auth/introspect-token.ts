import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { AccessTokens } from './access-tokens.js';
import { Unauthenticated } from './auth.errors.js';
import { ClientAuthenticator, type PresentedCredentials } from './client-authenticator.js';
import { Denylist } from './denylist.js';

/** RFC 7662 section 2.2. */
export type IntrospectionResponse =
  | { readonly active: false }
  | {
      readonly active: true;
      readonly client_id: string;
      readonly sub: string;
      readonly scope: string;
      readonly token_type: 'Bearer';
      readonly iss: string;
      readonly aud: string;
      readonly iat: number;
      readonly exp: number;
      readonly jti: string;
    };

/** A client may ask about its own tokens; about all others it hears that they are not active. */
export class IntrospectToken extends Query<IntrospectionResponse> {
  constructor(
    readonly credentials: PresentedCredentials,
    readonly token: string,
  ) {
    super();
  }
}

@QueryHandler(IntrospectToken)
export class IntrospectTokenHandler implements IQueryHandler<IntrospectToken> {
  constructor(
    private readonly authenticator: ClientAuthenticator,
    private readonly tokens: AccessTokens,
    private readonly denylist: Denylist,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async execute({ credentials, token }: IntrospectToken): Promise<IntrospectionResponse> {
    const client = await this.authenticator.authenticate(credentials);
    const found = await this.tokens.verify(token).catch((error: unknown) => {
      if (error instanceof Unauthenticated) return undefined;
      throw error;
    });
    if (found === undefined || !('clientId' in found) || found.clientId !== client.id)
      return { active: false };
    if (await this.denylist.isDenied(found.jti, found.clientId)) return { active: false };
    return {
      active: true,
      client_id: found.clientId,
      sub: found.clientId,
      scope: found.scopes.join(' '),
      token_type: 'Bearer',
      iss: this.config.jwtIssuer,
      aud: this.config.jwtAudience,
      iat: found.issuedAt.getTime() / 1_000,
      exp: found.expiresAt.getTime() / 1_000,
      jti: found.jti,
    };
  }
}
