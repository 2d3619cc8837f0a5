import { createHash, randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

const PERIOD_S = 30;
const RECOVERY_CODES = 10;
/** NIST SP 800-63B-4 section 3.1.2.2: from 112 bits on a plain hash is enough. */
const RECOVERY_CODE_BYTES = 15;

/** RFC 6238 with the parameters that every authenticator app knows. */
function totpOf(secret: string, email: string): TOTP {
  return new TOTP({
    issuer: 'Velum',
    label: email,
    secret: Secret.fromBase32(secret),
    algorithm: 'SHA1',
    digits: 6,
    period: PERIOD_S,
  });
}

/** RFC 4226 section 4, R6: 160 bits. */
export function newTotpSecret(): string {
  return new Secret({ size: 20 }).base32;
}

export function totpUri(secret: string, email: string): string {
  return totpOf(secret, email).toString();
}

/** The time step that a code is of, at most one away from now (RFC 6238 section 5.2); undefined if of none. */
export function totpStep(secret: string, code: string): number | undefined {
  const timestamp = Date.now();
  const delta = totpOf(secret, '').validate({ token: code, timestamp, window: 1 });
  return delta === null ? undefined : Math.floor(timestamp / 1_000 / PERIOD_S) + delta;
}

/** Each can be used once instead of a code of the app: 24 characters in groups of four. */
export function newRecoveryCodes(): readonly string[] {
  return Array.from({ length: RECOVERY_CODES }, () =>
    (
      new Secret({ buffer: new Uint8Array(randomBytes(RECOVERY_CODE_BYTES)).buffer }).base32.match(/.{4}/g) ??
      []
    ).join('-'),
  );
}

export function recoveryCodeHash(code: string): Buffer {
  return digest(code.toUpperCase().replaceAll(/[^A-Z2-7]/g, ''));
}

/** Of tokens that are random themselves: nobody finds one by trying. */
export function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
