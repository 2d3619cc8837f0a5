import { CONFIG } from '#platform/platform.module';
import type { Secrets } from '#platform/secrets';
import { Inject, Injectable } from '@nestjs/common';
import { type JwtModuleOptions, JwtSecretRequestType } from '@nestjs/jwt';
import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { Unauthenticated } from './auth.errors.js';

export interface PublicJwk {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'RS256';
}

interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: PublicJwk;
}

/**
 * The RSA keys of access tokens, and what others need to check them (RFC 7517). The first signs and all are accepted: a
 * key is replaced without a valid token that is refused (docs/rotation.md).
 */
@Injectable()
export class SigningKeys {
  private readonly keys: readonly SigningKey[];

  constructor(@Inject(CONFIG) { secrets }: { readonly secrets: Pick<Secrets, 'jwtPrivateKeys'> }) {
    this.keys = secrets.jwtPrivateKeys.map((privateKey) => {
      const publicKey = createPublicKey(privateKey);
      return { privateKey, publicKey, jwk: publicJwk(publicKey.export({ format: 'jwk' })) };
    });
  }

  get jwks(): readonly PublicJwk[] {
    return this.keys.map(({ jwk }) => jwk);
  }

  /** Of the key that signs. */
  get kid(): string {
    return this.signing.jwk.kid;
  }

  /** As key objects: from PEM they would be parsed for each request. */
  get jwtOptions(): JwtModuleOptions {
    return {
      secretOrKeyProvider: async (request, token) =>
        request === JwtSecretRequestType.SIGN ? this.signing.privateKey : this.keyOf(token),
    };
  }

  private get signing(): SigningKey {
    const [first] = this.keys;
    if (first === undefined) throw new Error('there is no signing key');
    return first;
  }

  /** RFC 7515 section 4.1.4: `kid` is a hint which of our keys to try; a key that the token brings along is none. */
  private keyOf(token: unknown): KeyObject {
    const kid = typeof token === 'string' ? kidOf(token) : undefined;
    const found = this.keys.find(({ jwk }) => jwk.kid === kid);
    if (found === undefined) throw new Unauthenticated();
    return found.publicKey;
  }
}

function kidOf(token: string): unknown {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
    return typeof header === 'object' && header !== null && 'kid' in header ? header.kid : undefined;
  } catch {
    return undefined;
  }
}

function publicJwk({ n = '', e = '' }: JsonWebKey): PublicJwk {
  // RFC 7638: the thumbprint of the required members in lexicographic order.
  const kid = createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url');
  return { kty: 'RSA', n, e, kid, use: 'sig', alg: 'RS256' };
}
