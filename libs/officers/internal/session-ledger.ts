import { AccessTokens } from '#auth/access-tokens';
import { SecretHashes } from '#auth/secret-hashes';
import { newId, type OfficerId, type SessionId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { OfficerScope } from '../officer-scopes.js';
import type { OfficerSession } from '../officer-session.js';
import { digest } from './second-factor.js';

export const SESSION_HOURS = 12;
export const IDLE_MINUTES = 30;
const ACCESS_TOKEN_SECONDS = 600;

export interface OpenSession {
  readonly id: SessionId;
  readonly officerId: OfficerId;
  readonly scopes: readonly OfficerScope[];
  readonly expiresAt: Date;
}

/** Sessions and their one-time tokens, of which only hashes are kept. */
@Injectable()
export class SessionLedger {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly secrets: SecretHashes,
  ) {}

  async start(
    tx: EntityManager,
    officerId: OfficerId,
    scopes: readonly OfficerScope[],
  ): Promise<OfficerSession> {
    const id = newId<'session'>();
    const [row] = await tx.query<{ expires_at: Date }[]>(
      `INSERT INTO officer_session (id, officer_id, expires_at) VALUES ($1, $2, now() + make_interval(hours => $3))
       RETURNING expires_at`,
      [id, officerId, SESSION_HOURS],
    );
    if (row === undefined) throw new Error('the session was not returned');
    return this.issue(tx, { id, officerId, scopes, expiresAt: row.expires_at });
  }

  /** The next access token of a session, and the next session token. */
  async issue(tx: EntityManager, { id, officerId, scopes, expiresAt }: OpenSession): Promise<OfficerSession> {
    const sessionToken = this.secrets.create();
    await tx.query('INSERT INTO officer_session_token (hash, session_id) VALUES ($1, $2)', [
      digest(sessionToken),
      id,
    ]);
    const { token } = await this.tokens.signForOfficer(officerId, id, scopes, ACCESS_TOKEN_SECONDS);
    return {
      officerId,
      accessToken: token,
      tokenType: 'Bearer',
      expiresIn: ACCESS_TOKEN_SECONDS,
      scope: scopes.join(' '),
      sessionToken,
      sessionExpiresAt: expiresAt,
    };
  }

  /** From now on none of its tokens counts. Answers whether it was open. */
  async end(tx: EntityManager, id: SessionId): Promise<boolean> {
    const [, ended] = await tx.query<[unknown[], number]>(
      'UPDATE officer_session SET ended_at = now() WHERE id = $1 AND ended_at IS NULL',
      [id],
    );
    return ended === 1;
  }

  /** Answers how many were open. */
  async endAll(tx: EntityManager, officerId: OfficerId): Promise<number> {
    const [, ended] = await tx.query<[unknown[], number]>(
      'UPDATE officer_session SET ended_at = now() WHERE officer_id = $1 AND ended_at IS NULL',
      [officerId],
    );
    return ended;
  }
}
