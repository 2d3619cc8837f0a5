import { createHmac } from 'node:crypto';

/** An IP address as a log or an audit record may hold it: HMAC-SHA256 under `ip_hash_salt`, hex, 128 bits. */
export function hashAddress(salt: Buffer, address: string): string {
  return createHmac('sha256', salt).update(address).digest('hex').slice(0, 32);
}
