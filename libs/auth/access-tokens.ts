import type { Config } from '#platform/config';
import { asId, type ClientId, newId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { Inject, Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { Unauthenticated } from './auth.errors.js';
import type { TokenId } from './denylist.js';
import { isScope, type Scope, splitScopes } from './scopes.js';
import { SigningKeys } from './signing-keys.js';

export interface AccessToken {
  readonly jti: TokenId;
  readonly clientId: ClientId;
  readonly scopes: readonly Scope[];
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** JWT access tokens after RFC 9068, signed with RS256. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly jwt: JwtService,
    private readonly keys: SigningKeys,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'jwtIssuer' | 'jwtAudience' | 'accessTokenSeconds'>,
  ) {}

  async sign(clientId: ClientId, scopes: readonly Scope[]): Promise<{ token: string; jti: TokenId }> {
    const jti = newId<'token'>();
    const token = await this.jwt.signAsync(
      { client_id: clientId, scope: scopes.join(' ') },
      {
        algorithm: 'RS256',
        keyid: this.keys.kid,
        // RFC 9068 section 2.1: typ must be at+jwt, so that no other JWT of ours passes for an access token.
        header: { alg: 'RS256', typ: 'at+jwt' },
        issuer: this.config.jwtIssuer,
        audience: this.config.jwtAudience,
        subject: clientId,
        jwtid: jti,
        expiresIn: this.config.accessTokenSeconds,
      },
    );
    return { token, jti };
  }

  /** Checks signature, type, issuer, audience and time, but not whether it was revoked; throws Unauthenticated. */
  async verify(token: string): Promise<AccessToken> {
    const verified: unknown = await this.jwt
      .verifyAsync(token, {
        algorithms: ['RS256'],
        issuer: this.config.jwtIssuer,
        audience: this.config.jwtAudience,
        complete: true,
      })
      .catch(() => undefined);
    const { header, payload } = parts(verified);
    // RFC 9068 section 4: the type is checked before anything else is believed.
    if (header['typ'] !== 'at+jwt') throw new Unauthenticated();
    const { jti, client_id: clientId, sub, scope, iat, exp } = payload;
    if (typeof jti !== 'string' || typeof clientId !== 'string' || sub !== clientId)
      throw new Unauthenticated();
    if (typeof scope !== 'string' || typeof iat !== 'number' || typeof exp !== 'number')
      throw new Unauthenticated();
    return {
      jti: asId<'token'>(jti),
      clientId: asId<'client'>(clientId),
      scopes: splitScopes(scope).filter(isScope),
      issuedAt: new Date(iat * 1_000),
      expiresAt: new Date(exp * 1_000),
    };
  }
}

type Members = Readonly<Record<string, unknown>>;

function parts(verified: unknown): { header: Members; payload: Members } {
  if (!isMembers(verified)) throw new Unauthenticated();
  const { header, payload } = verified;
  if (!isMembers(header) || !isMembers(payload)) throw new Unauthenticated();
  return { header, payload };
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}
