import { type KeyEncryptionKeyView, ListKeyEncryptionKeys } from '#rotation/list-key-encryption-keys';
import { Controller, Get } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../openapi/operation.decorator.js';
import { KeyEncryptionKeyList } from './key-encryption-key.dto.js';

@ApiTags('Administration')
@Controller('v1/admin/key-encryption-keys')
export class KeyEncryptionKeysController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Operation({
    summary: 'Follow the rotation of key-encryption keys',
    description:
      'Which keys of db_encryption_key and custody_encryption_key have been, how many values are under each, and how far the newest has replaced the others. Operators bring a new one (docs/rotation.md). Counting reads whole tables.',
    scope: 'admin:keys',
    status: 200,
    response: { type: KeyEncryptionKeyList, description: 'The newest of each secret first.' },
  })
  async list(): Promise<{ readonly items: readonly KeyEncryptionKeyView[] }> {
    return { items: await this.queries.execute(new ListKeyEncryptionKeys()) };
  }
}
