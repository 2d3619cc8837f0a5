import { ApiProperty } from '@nestjs/swagger';
import { EXAMPLE } from '../openapi/examples.js';

class PublicRuleResponse {
  @ApiProperty({ example: 'afterEnd' })
  rule: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Null: of every purpose that has no rule of its own.',
    example: null,
  })
  purpose: string | null;

  @ApiProperty({
    example: 'Biometric data is destroyed this long after the consent to its purpose has ended',
  })
  means: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'ISO 8601; null: none is fixed.',
    example: 'P0D',
  })
  duration: string | null;

  @ApiProperty({ example: 'GDPR Art. 17(1)(b): without undue delay' })
  source: string;
}

export class RetentionPolicyResponse {
  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ example: 'European Union: General Data Protection Regulation' })
  name: string;

  @ApiProperty({ example: 'Regulation (EU) 2016/679' })
  law: string;

  @ApiProperty({ example: 1 })
  revision: number;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  inForceSince: Date;

  @ApiProperty({ type: [PublicRuleResponse] })
  rules: PublicRuleResponse[];

  @ApiProperty({ example: 'To be confirmed by counsel before it is relied on.' })
  confirm: string;
}
