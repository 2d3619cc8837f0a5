import type { ConsentId } from '#platform/ids';
import type { EntityManager } from 'typeorm';
import type { Consent } from './consent.entity.js';

/** Facts are only ever added: a consent that ended is over, whatever else its row says by now. */
export const OVER = `EXISTS (SELECT FROM consent_fact f WHERE f.consent_id = c.id AND f.kind IN ('withdrawn', 'expired'))`;
/** Whether or not the worker has come to it: nobody is bound by an old notice after the new one's date. */
const OUTDATED = `EXISTS (SELECT FROM renewal_demand WHERE renew_by <= clock_timestamp())
  AND EXISTS (SELECT FROM renewal_due r WHERE r.consent_id = c.id AND r.renew_by <= clock_timestamp())`;
/** SQL: whether the consent `c` counts now. */
export const VALID = `c.ended_at IS NULL AND NOT ${OVER} AND c.suspended_at IS NULL
  AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp()) AND NOT (${OUTDATED})`;

/**
 * Consents with the ends that `VALID` goes by: whoever tells or decides what state one is in MUST ask here, since its row
 * may not say so yet. Of one that is to change, its row has to be locked before.
 */
export async function standing(tx: EntityManager, consents: readonly Consent[]): Promise<Consent[]> {
  if (consents.length === 0) return [];
  const ends = await tx.query<{ id: ConsentId; over: Date | null; renew_by: Date | null }[]>(
    `SELECT c.id, f.at AS over, r.renew_by FROM consent c
     LEFT JOIN LATERAL (SELECT max(at) AS at FROM consent_fact f
       WHERE f.consent_id = c.id AND f.kind IN ('withdrawn', 'expired')) f ON true
     LEFT JOIN LATERAL (SELECT min(renew_by) AS renew_by FROM renewal_due r WHERE r.consent_id = c.id) r ON true
     WHERE c.id = ANY($1)`,
    [consents.map(({ id }) => id)],
  );
  const byId = new Map(ends.map((end) => [end.id, end]));
  return consents.map((consent) => {
    const { over = null, renew_by: renewBy = null } = byId.get(consent.id) ?? {};
    return { ...consent, endedAt: consent.endedAt ?? over, expiresAt: earlier(consent.expiresAt, renewBy) };
  });
}

function earlier(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}
