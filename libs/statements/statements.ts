import { AuditLog } from '#audit/audit-log';
import type { Config } from '#platform/config';
import { newId } from '#platform/ids';
import type { Keyring } from '#platform/keyring';
import { CONFIG } from '#platform/platform.module';
import { KEYRING, SealedValues } from '#platform/sealed-values';
import { Inject, Injectable } from '@nestjs/common';
import { calculateJwkThumbprint, CompactSign, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { DataSource, type EntityManager } from 'typeorm';

/** RFC 8037: an Ed25519 key as others need it to check a statement. */
export interface StatementJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  /** RFC 7638: the thumbprint of the key. */
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'EdDSA';
}

const SEALED_AS = 'statement_key.private_key';

/** What Velum says under its signature, to be checked years later by whoever holds it: receipts, proofs. */
@Injectable()
export class Statements {
  constructor(
    private readonly db: DataSource,
    private readonly audit: AuditLog,
    values: SealedValues,
    @Inject(KEYRING) private readonly keyring: Keyring,
    @Inject(CONFIG) private readonly config: Pick<Config, 'jwtIssuer'>,
  ) {
    values.ownText(SEALED_AS, db, () => SEALED_AS);
  }

  /**
   * A compact JWS (RFC 7515) of `payload` with who says it (`iss`) and when (`iat`). RFC 8725 section 3.11: `typ` says
   * what kind of statement it is, and MUST be one that nothing else of ours has, so that it passes for nothing else.
   */
  async sign(tx: EntityManager, typ: `${string}+jwt`, payload: object): Promise<string> {
    const { kid, privateJwk } = (await this.signingKey(tx)) ?? (await this.firstKey(tx));
    const iat = Math.floor(Date.now() / 1_000);
    const said = { ...payload, iss: this.config.jwtIssuer, iat };
    return new CompactSign(Buffer.from(JSON.stringify(said)))
      .setProtectedHeader({ alg: 'EdDSA', typ, kid })
      .sign(await importJWK(privateJwk, 'EdDSA'));
  }

  /** Every key that ever signed: what was signed under a retired one stays verifiable. */
  async publicKeys(): Promise<readonly StatementJwk[]> {
    const rows = await this.db.query<{ public_jwk: StatementJwk }[]>(
      'SELECT public_jwk FROM statement_key ORDER BY id DESC',
    );
    return rows.map(({ public_jwk }) => public_jwk);
  }

  /** The next statement is signed with a new key; what the old one could sign with is gone. Answers the new one's kid. */
  async rotate(tx: EntityManager): Promise<string> {
    const [retired] = await tx.query<[{ kid: string }[], number]>(
      `UPDATE statement_key SET retired_at = now(), private_key = NULL WHERE retired_at IS NULL RETURNING kid`,
    );
    for (const { kid } of retired) {
      await this.audit.append(tx, { type: 'statement_key.retired', outcome: 'ok', details: { kid } });
    }
    return (await this.firstKey(tx)).kid;
  }

  private async signingKey(tx: EntityManager): Promise<{ kid: string; privateJwk: JWK } | undefined> {
    const [row] = await tx.query<{ kid: string; private_key: Buffer }[]>(
      'SELECT kid, private_key FROM statement_key WHERE retired_at IS NULL',
    );
    if (row === undefined) return undefined;
    const privateJwk: JWK = JSON.parse(this.keyring.decrypt(row.private_key, SEALED_AS).toString());
    return { kid: row.kid, privateJwk };
  }

  /** Of several processes that find none, one makes it and the others wait for that one: statement_key_one_signs. */
  private async firstKey(tx: EntityManager): Promise<{ kid: string; privateJwk: JWK }> {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const publicJwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(publicJwk);
    const sealed = this.keyring.encrypt(Buffer.from(JSON.stringify(await exportJWK(privateKey))), SEALED_AS);
    const made = await tx.query<unknown[]>(
      `INSERT INTO statement_key (id, kid, public_jwk, private_key) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING kid`,
      [newId<'statement-key'>(), kid, { ...publicJwk, kid, use: 'sig', alg: 'EdDSA' }, sealed],
    );
    if (made.length > 0) {
      await this.audit.append(tx, { type: 'statement_key.created', outcome: 'ok', details: { kid } });
    }
    const key = await this.signingKey(tx);
    if (key === undefined) throw new Error('there is no key for statements');
    return key;
  }
}
