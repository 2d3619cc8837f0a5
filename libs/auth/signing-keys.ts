import { CONFIG } from '#platform/platform.module';
import type { Secrets } from '#platform/secrets';
import { Inject, Injectable } from '@nestjs/common';
import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';

export interface PublicJwk {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'RS256';
}

/** The RSA key that signs access tokens, and what others need to check them (RFC 7517). */
@Injectable()
export class SigningKeys {
  readonly privateKey: KeyObject;
  readonly jwk: PublicJwk;

  constructor(@Inject(CONFIG) { secrets }: { readonly secrets: Pick<Secrets, 'jwtPrivateKey'> }) {
    this.privateKey = secrets.jwtPrivateKey;
    const publicKey = createPublicKey(secrets.jwtPrivateKey);
    this.jwk = publicJwk(publicKey.export({ format: 'jwk' }));
  }
}

function publicJwk({ n = '', e = '' }: JsonWebKey): PublicJwk {
  // RFC 7638: the thumbprint of the required members in lexicographic order.
  const kid = createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url');
  return { kty: 'RSA', n, e, kid, use: 'sig', alg: 'RS256' };
}
