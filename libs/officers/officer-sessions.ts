import type { OfficerToken } from '#auth/access-tokens';
import { Unauthenticated } from '#auth/auth.errors';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { scopesOf } from './internal/officer-store.js';
import type { OfficerScope } from './officer-scopes.js';

/** Asked at every call: an officer who logs out, is disabled or loses a scope has lost it from that moment on. */
@Injectable()
export class OfficerSessions {
  constructor(private readonly db: DataSource) {}

  /** What the token allows now; throws Unauthenticated if its session is over. */
  async admit({ officerId, sessionId, scopes }: OfficerToken): Promise<readonly OfficerScope[]> {
    const [officer] = await this.db.query<{ scopes: string[] }[]>(
      `SELECT o.scopes FROM officer_session s JOIN officer o ON o.id = s.officer_id
       WHERE s.id = $1 AND o.id = $2 AND s.ended_at IS NULL AND s.expires_at > now()
         AND o.enrolled_at IS NOT NULL AND o.disabled_at IS NULL`,
      [sessionId, officerId],
    );
    if (officer === undefined) throw new Unauthenticated();
    return scopesOf(officer).filter((scope) => scopes.includes(scope));
  }
}
