import { CONFIG } from '#platform/platform.module';
import type { Config } from '#platform/config';
import type { ClientId } from '#platform/ids';
import { Inject, Injectable } from '@nestjs/common';
import { createHmac } from 'node:crypto';

/** A blind index, so that a reference can be looked up although it is stored encrypted. */
@Injectable()
export class SubjectReferences {
  private readonly key: Buffer;

  constructor(@Inject(CONFIG) config: Config) {
    this.key = createHmac('sha256', config.secrets.secretKey).update('velum subject reference v1').digest();
  }

  index(clientId: ClientId, reference: string): Buffer {
    return createHmac('sha256', this.key).update(`${clientId}\n${reference}`).digest();
  }
}
