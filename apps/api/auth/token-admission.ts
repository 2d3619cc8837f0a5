import { AccessTokens } from '#auth/access-tokens';
import { Unauthenticated } from '#auth/auth.errors';
import { Denylist } from '#auth/denylist';
import { currentContext } from '#platform/request-context';
import { Injectable } from '@nestjs/common';

/** Whoever holds a valid access token is known from here on; what the token allows is checked apart. */
@Injectable()
export class TokenAdmission {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly denylist: Denylist,
  ) {}

  /** Throws Unauthenticated, or DependencyUnavailable if nobody can tell whether the token was revoked. */
  async admit(presented: string): Promise<void> {
    const token = await this.tokens.verify(presented);
    if (await this.denylist.isDenied(token.jti, token.clientId)) throw new Unauthenticated();
    const request = currentContext();
    if (request === undefined) return;
    request.clientId = token.clientId;
    request.scopes = token.scopes;
  }
}
