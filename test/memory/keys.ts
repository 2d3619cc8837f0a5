import { SealEngine } from '#homomorphic/seal-engine';
import { asSegmentSecret, digitsOf } from '#homomorphic/segment-key';
import { Keyring } from '#platform/keyring';
import { hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Stack } from '../harness/stack.js';
import type { Needles } from './needles.js';

/** Keys as bytes and as the text of their file, and what they wrap: a secret as it is created and as it is used. */
export async function addKeys(needles: Needles, stack: Stack): Promise<void> {
  const text = (name: string): string =>
    readFileSync(join(stack.env['SECRETS_DIR'] ?? '', name), 'utf8').trim();
  for (const [kind, name] of [
    ['custody key', 'custody_encryption_key'],
    ['database key', 'db_encryption_key'],
  ] as const) {
    const base64 = text(name).slice(text(name).indexOf(':') + 1);
    needles.add(kind, 0, Buffer.from(base64, 'base64'), 16);
    needles.add(kind, 0, Buffer.from(base64), 20);
  }
  const keyring = Keyring.parseCustody(text('custody_encryption_key'));
  const { rows } = await stack.owner.query(
    `SELECT s.id, s.gallery_id, s.secret, k.mask_seed, CASE WHEN s.under_share THEN h.share END AS share
     FROM custody.segment s JOIN custody.key_set k USING (gallery_id) LEFT JOIN custody.key_share h USING (gallery_id)`,
  );
  expect(rows.length).toBeGreaterThan(0);
  const engine = await SealEngine.create();
  for (const { id, gallery_id, secret, mask_seed, share } of rows) {
    const context = `custody.segment ${gallery_id} ${id} ${mask_seed.toString('hex')}`;
    const opened = keyring?.decrypt(secret, context);
    if (opened === undefined) throw new Error('the stack has no custody key');
    if (share !== null) takeOut(opened, share, id);
    needles.add('segment secret', 0, Buffer.from(opened), 16);
    const transformed = engine.ring.transformSecret(digitsOf(asSegmentSecret(opened)));
    needles.add('segment key', 0, Buffer.from(transformed.buffer), 16);
  }
}

/** From under the share that no dump has (docs/adr/0039-what-is-destroyed-stays-destroyed.md). */
function takeOut(secret: Uint8Array, share: Uint8Array, segmentId: string): void {
  const stream = hkdfSync('sha256', share, '', `velum segment secret ${segmentId}`, secret.length);
  new Uint8Array(stream).forEach((byte, i) => {
    secret[i] = (secret[i] ?? 0) ^ byte;
  });
}
