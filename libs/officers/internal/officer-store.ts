import type { Config } from '#platform/config';
import { isOfficerScope, type OfficerScope } from '../officer-scopes.js';
import type { OfficerId } from '#platform/ids';
import type { Keyring } from '#platform/keyring';
import { CONFIG } from '#platform/platform.module';
import { SealedValues } from '#platform/sealed-values';
import { Inject, Injectable } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';

type SealedMember = 'name' | 'email' | 'totp_secret';

export interface OfficerRow {
  readonly id: OfficerId;
  readonly name: Buffer;
  readonly email: Buffer;
  readonly totp_secret: Buffer | null;
  readonly password_hash: string | null;
  readonly scopes: readonly string[];
  readonly enrolled_at: Date | null;
  readonly disabled_at: Date | null;
}

/** The table `officer`; name, address and TOTP secret are encrypted, each for its row and column. */
@Injectable()
export class OfficerStore {
  private readonly keyring: Keyring;
  private readonly indexKey: Buffer;

  constructor(
    private readonly db: DataSource,
    @Inject(CONFIG) { secrets }: Config,
    values: SealedValues,
  ) {
    this.keyring = secrets.dbEncryptionKeys;
    this.indexKey = createHmac('sha256', secrets.secretKey).update('velum officer email v1').digest();
    values.ownText('officer.name', db, (id) => contextOf(id, 'name'));
    values.ownText('officer.email', db, (id) => contextOf(id, 'email'));
    values.ownText('officer.totp_secret', db, (id) => contextOf(id, 'totp_secret'));
  }

  emailIndex(email: string): Buffer {
    const one = email.normalize('NFKC').trim().toLowerCase();
    return createHmac('sha256', this.indexKey).update(one).digest();
  }

  seal(id: OfficerId, member: SealedMember, text: string): Buffer {
    return this.keyring.encrypt(Buffer.from(text), contextOf(id, member));
  }

  open(row: OfficerRow, member: SealedMember): string | undefined {
    const sealed = row[member];
    return sealed === null ? undefined : this.keyring.decrypt(sealed, contextOf(row.id, member)).toString();
  }

  /** Who may log in with this address. */
  async findActive(emailIndex: Buffer): Promise<OfficerRow | undefined> {
    const [officer] = await this.db.query<OfficerRow[]>(
      'SELECT * FROM officer WHERE email_index = $1 AND enrolled_at IS NOT NULL AND disabled_at IS NULL',
      [emailIndex],
    );
    return officer;
  }

  /** Whose enrolment code this is, while it counts; held until `tx` ends. */
  async findEnrolling(tx: EntityManager, codeHash: Buffer): Promise<OfficerRow | undefined> {
    const [officer] = await tx.query<OfficerRow[]>(
      `SELECT * FROM officer WHERE enrolment_hash = $1 AND enrolment_expires_at > now() AND disabled_at IS NULL
       FOR NO KEY UPDATE`,
      [codeHash],
    );
    return officer;
  }
}

export function scopesOf({ scopes }: Pick<OfficerRow, 'scopes'>): OfficerScope[] {
  return scopes.filter(isOfficerScope);
}

function contextOf(id: string, member: SealedMember): string {
  return `officer.${member} ${id}`;
}
