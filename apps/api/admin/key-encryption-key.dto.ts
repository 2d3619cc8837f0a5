import { KEY_ENCRYPTION_SECRETS } from '#rotation/list-key-encryption-keys';
import { ApiProperty } from '@nestjs/swagger';
import { EXAMPLE } from '../openapi/examples.js';
import { ProvedProgress } from './proved-progress.dto.js';

export class KeyEncryptionKeyResponse extends ProvedProgress {
  @ApiProperty({ description: 'As in the secret; the key itself is nowhere.', example: 'k2' })
  keyId: string;

  @ApiProperty({ enum: KEY_ENCRYPTION_SECRETS, example: 'db_encryption_key' })
  secret: string;

  @ApiProperty({ description: 'It came last of its secret: all values are put under it.', example: true })
  newest: boolean;

  @ApiProperty({ description: 'Values under it now.', example: 41_003 })
  values: number;

  @ApiProperty({ description: 'Put under it from under another until now.', example: 40_960 })
  resealed: number;

  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Of the newest: values that are still under another key of its secret.',
    example: 59_040,
  })
  left: number | null;

  @ApiProperty({ format: 'date-time', description: 'When Velum saw it first.', example: EXAMPLE.time })
  seenAt: Date;
}

export class KeyEncryptionKeyList {
  @ApiProperty({ type: [KeyEncryptionKeyResponse] })
  items: KeyEncryptionKeyResponse[];
}
