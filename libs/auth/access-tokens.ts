import type { Config } from '#platform/config';
import { asId, type ClientId, newId, type OfficerId, type SessionId } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { Inject, Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { Unauthenticated } from './auth.errors.js';
import type { TokenId } from './denylist.js';
import { isScope, type Scope, splitScopes } from './scopes.js';
import { SigningKeys } from './signing-keys.js';

interface TokenTerms {
  readonly jti: TokenId;
  readonly scopes: readonly Scope[];
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

export interface ClientToken extends TokenTerms {
  readonly clientId: ClientId;
}

/** What allows it is its session: whoever accepts one MUST ask whether that goes on. */
export interface OfficerToken extends TokenTerms {
  readonly officerId: OfficerId;
  readonly sessionId: SessionId;
}

export type AccessToken = ClientToken | OfficerToken;

/**
 * RFC 9068 section 2.2 asks for a client_id: this is what officers log in through. No client has it, since theirs are
 * UUIDs, and a client's `sub` is its client_id: neither kind of token passes for the other.
 */
const OFFICERS = 'velum-officers';

/** JWT access tokens after RFC 9068, signed with RS256. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly jwt: JwtService,
    private readonly keys: SigningKeys,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'jwtIssuer' | 'jwtAudience' | 'accessTokenSeconds'>,
  ) {}

  sign(clientId: ClientId, scopes: readonly Scope[]): Promise<{ token: string; jti: TokenId }> {
    return this.issue({ client_id: clientId }, clientId, scopes, this.config.accessTokenSeconds);
  }

  signForOfficer(
    officerId: OfficerId,
    sessionId: SessionId,
    scopes: readonly Scope[],
    seconds: number,
  ): Promise<{ token: string; jti: TokenId }> {
    return this.issue({ client_id: OFFICERS, sid: sessionId }, officerId, scopes, seconds);
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
    const { jti, client_id: clientId, sub, sid, scope, iat, exp } = payload;
    if (typeof jti !== 'string' || typeof sub !== 'string') throw new Unauthenticated();
    if (typeof scope !== 'string' || typeof iat !== 'number' || typeof exp !== 'number')
      throw new Unauthenticated();
    const terms = {
      jti: asId<'token'>(jti),
      scopes: splitScopes(scope).filter(isScope),
      issuedAt: new Date(iat * 1_000),
      expiresAt: new Date(exp * 1_000),
    };
    if (clientId === OFFICERS && typeof sid === 'string') {
      return { ...terms, officerId: asId<'officer'>(sub), sessionId: asId<'session'>(sid) };
    }
    if (sub !== clientId) throw new Unauthenticated();
    return { ...terms, clientId: asId<'client'>(sub) };
  }

  private async issue(
    claims: { readonly client_id: string; readonly sid?: SessionId },
    subject: ClientId | OfficerId,
    scopes: readonly Scope[],
    seconds: number,
  ): Promise<{ token: string; jti: TokenId }> {
    const jti = newId<'token'>();
    const token = await this.jwt.signAsync(
      { ...claims, scope: scopes.join(' ') },
      {
        algorithm: 'RS256',
        keyid: this.keys.kid,
        // RFC 9068 section 2.1: typ must be at+jwt, so that no other JWT of ours passes for an access token.
        header: { alg: 'RS256', typ: 'at+jwt' },
        issuer: this.config.jwtIssuer,
        audience: this.config.jwtAudience,
        subject,
        jwtid: jti,
        expiresIn: seconds,
      },
    );
    return { token, jti };
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
