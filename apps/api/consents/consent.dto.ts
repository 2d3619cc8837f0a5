import {
  CONSENT_METHODS,
  type ConsentMethod,
  type Evidence,
  type Guardian,
  GUARDIAN_CHECKS,
  GUARDIAN_RELATIONSHIPS,
} from '#consent/consent-evidence';
import { PURPOSE_PATTERN } from '#consent/purposes';
import type { NoticeId, SubjectId } from '#platform/ids';
import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsIn, IsIP, IsObject, IsOptional, Matches, ValidateNested } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';
import { MayBeLeftOut } from '../request/may-be-left-out.decorator.js';
import { PageQuery } from '../request/page.dto.js';

class GuardianBody implements Guardian {
  @ApiProperty({ enum: GUARDIAN_RELATIONSHIPS, example: 'parent' })
  @IsIn(GUARDIAN_RELATIONSHIPS)
  relationship: Guardian['relationship'];

  @ApiPropertyOptional({
    enum: GUARDIAN_CHECKS,
    description: 'By what identity and age were established; some jurisdictions ask for it.',
    example: 'identity_document',
  })
  @MayBeLeftOut()
  @IsIn(GUARDIAN_CHECKS)
  verifiedBy?: NonNullable<Guardian['verifiedBy']>;
}

class EvidenceBody implements Evidence {
  @ApiProperty({ enum: CONSENT_METHODS, description: 'How the person decided.', example: 'checkbox' })
  @IsIn(CONSENT_METHODS)
  method: ConsentMethod;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'When; now, if left out.' })
  @MayBeLeftOut()
  @Type(() => Date)
  @IsDate()
  at?: Date;

  @ApiPropertyOptional({ description: 'SHA-256, hex, of a document that you keep, such as a signed form.' })
  @MayBeLeftOut()
  @Matches(/^[0-9a-f]{64}$/)
  evidenceHash?: string;

  @ApiPropertyOptional({
    description:
      "IP address of the person's device, as you saw it. Velum keeps a hash of it, and no address.",
    example: '203.0.113.7',
  })
  @MayBeLeftOut()
  @IsIP()
  address?: string;

  @ApiPropertyOptional({ type: GuardianBody, description: 'Who decided for a minor. No name.' })
  @MayBeLeftOut()
  @IsObject()
  @ValidateNested()
  @Type(() => GuardianBody)
  guardian?: GuardianBody;
}

const evidence = (): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({
      type: EvidenceBody,
      description:
        'By which you can show that the person decided so. Most jurisdictions ask for it: GET /v1/jurisdictions, consent.form.',
      example: { method: 'checkbox' },
    }),
    MayBeLeftOut(),
    IsObject(),
    ValidateNested(),
    Type(() => EvidenceBody),
  );

const expiry = (description: string): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({ type: String, format: 'date-time', description, example: EXAMPLE.expiry }),
    MayBeLeftOut(),
    Type(() => Date),
    IsDate(),
  );

const UNTIL =
  'Until withdrawn, if left out; sooner where the jurisdiction limits it, the person comes of age, or a newer notice asks for renewal.';

export class GrantConsentBody {
  @ApiProperty({ type: String, format: 'uuid', example: EXAMPLE.subjectId })
  @IsId()
  subjectId: SubjectId;

  @ApiProperty({ example: 'access_control', pattern: PURPOSE_PATTERN.source })
  @Matches(PURPOSE_PATTERN)
  purpose: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    description: 'The notice that the person read.',
    example: EXAMPLE.noticeId,
  })
  @IsId()
  noticeId: NoticeId;

  @expiry(UNTIL)
  expiresAt?: Date;

  @evidence()
  evidence?: EvidenceBody;
}

export class RefuseConsentBody extends OmitType(GrantConsentBody, ['expiresAt']) {}

export class RenewConsentBody {
  @ApiPropertyOptional({
    type: String,
    format: 'uuid',
    description: 'The notice that the person read; the same as before, if left out.',
    example: EXAMPLE.noticeId,
  })
  @MayBeLeftOut()
  @IsId()
  noticeId?: NoticeId;

  @expiry(UNTIL)
  expiresAt?: Date;

  @evidence()
  evidence?: EvidenceBody;
}

export class ConsentsQuery extends PageQuery {
  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  subjectId?: SubjectId;

  @ApiPropertyOptional({ example: 'access_control' })
  @IsOptional()
  @Matches(PURPOSE_PATTERN)
  purpose?: string;
}

export class ConsentResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.consentId })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ example: 'access_control' })
  purpose: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.noticeId })
  noticeId: string;

  @ApiProperty({ enum: ['active', 'expired', 'withdrawn', 'refused'], example: 'active' })
  state: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  grantedAt: Date;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  expiresAt: Date | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  endedAt: Date | null;
}

export class ConsentPage {
  @ApiProperty({ type: [ConsentResponse] })
  items: ConsentResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

export class ReceiptResponse {
  @ApiProperty({
    description:
      'A compact JWS of the type consent-receipt+jwt: the receipt of ISO/IEC TS 27560, signed with a key of /.well-known/jwks.json.',
    example: 'eyJhbGciOiJFZERTQSJ9.eyJzY2hlbWFfdmVyc2lvbiI6IiJ9.c2lnbmF0dXJl',
  })
  receipt: string;
}
