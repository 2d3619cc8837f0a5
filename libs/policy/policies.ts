import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type PolicyDocument, readPolicy } from './policy-document.js';
import { JurisdictionUnknown } from './policy.errors.js';

/** A policy as it was published; a later revision does not change it. */
export interface Policy {
  readonly jurisdiction: string;
  readonly revision: number;
  readonly document: PolicyDocument;
  readonly publishedAt: Date;
}

interface PolicyRow {
  readonly jurisdiction: string;
  readonly revision: number;
  readonly document: unknown;
  readonly published_at: Date;
}

const NEWEST = `SELECT DISTINCT ON (jurisdiction) jurisdiction, revision, document, published_at
  FROM jurisdiction_policy`;

/** The policies of the jurisdictions, for what must share a transaction with what rests on them. */
@Injectable()
export class Policies {
  /** The one in force; throws JurisdictionUnknown. */
  async current(tx: EntityManager, jurisdiction: string): Promise<Policy> {
    const [row] = await tx.query<PolicyRow[]>(
      `${NEWEST} WHERE jurisdiction = $1 ORDER BY jurisdiction, revision DESC`,
      [jurisdiction],
    );
    if (row === undefined) throw new JurisdictionUnknown();
    return showPolicy(row);
  }

  /** Of every jurisdiction the one in force, by code. */
  async all(tx: EntityManager): Promise<readonly Policy[]> {
    const rows = await tx.query<PolicyRow[]>(`${NEWEST} ORDER BY jurisdiction, revision DESC`);
    return rows.map(showPolicy);
  }

  /** Puts a policy in force: the next revision of its jurisdiction, or the first of a new one. Answers which. */
  async publish(tx: EntityManager, document: PolicyDocument): Promise<number> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 2))', [document.code]);
    const [row] = await tx.query<{ revision: number }[]>(
      `INSERT INTO jurisdiction_policy (jurisdiction, revision, document)
       SELECT $1, coalesce(max(revision), 0) + 1, $2 FROM jurisdiction_policy WHERE jurisdiction = $1
       RETURNING revision`,
      [document.code, JSON.stringify(document)],
    );
    if (row === undefined) throw new Error('the revision was not returned');
    return row.revision;
  }
}

function showPolicy({ jurisdiction, revision, document, published_at: publishedAt }: PolicyRow): Policy {
  return { jurisdiction, revision, document: readPolicy(document), publishedAt };
}
