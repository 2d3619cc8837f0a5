import { AccessTokens } from '#auth/access-tokens';
import { Unauthenticated } from '#auth/auth.errors';
import { Denylist } from '#auth/denylist';
import { OfficerSessions } from '#officers/officer-sessions';
import { currentContext } from '#platform/request-context';
import { Injectable } from '@nestjs/common';

/** Whoever holds a valid access token is known from here on; what the token allows is checked apart. */
@Injectable()
export class TokenAdmission {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly denylist: Denylist,
    private readonly officers: OfficerSessions,
  ) {}

  /** Throws Unauthenticated, or DependencyUnavailable if nobody can tell whether the token was revoked. */
  async admit(presented: string): Promise<void> {
    const token = await this.tokens.verify(presented);
    const request = currentContext();
    if ('officerId' in token) {
      const scopes = await this.officers.admit(token);
      const { officerId, sessionId } = token;
      if (request !== undefined) Object.assign(request, { officerId, sessionId, scopes });
      return;
    }
    if (await this.denylist.isDenied(token.jti, token.clientId)) throw new Unauthenticated();
    const { clientId, scopes } = token;
    if (request !== undefined) Object.assign(request, { clientId, scopes });
  }
}
