import type { NoticeItems } from '#consent/notice-items';
import { PURPOSE_PATTERN } from '#consent/purposes';
import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsDate,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { MayBeLeftOut } from '../request/may-be-left-out.decorator.js';
import { PageQuery } from '../request/page.dto.js';
import { IsLanguageTag } from './is-language-tag.decorator.js';

/** RFC 4647 section 2.1. */
const LANGUAGE_RANGE = /^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*|\*)$/;

const itemOf = (what: string, example: string): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({ description: what, example }),
    MayBeLeftOut(),
    IsString(),
    Length(1, 5_000),
  );

/** Each item that a law asks for, apart from the others. */
export class NoticeItemsBody implements NoticeItems {
  @itemOf('What the data is used for.', 'To open the doors of this building to you.')
  purpose?: string;

  @itemOf('Which data is kept.', 'An encrypted template of your face; no photograph.')
  data?: string;

  @itemOf('What is provided by it.', 'Entry without a badge.')
  service?: string;

  @itemOf('For how long.', 'While you work here; it is destroyed when you withdraw.')
  retention?: string;

  @itemOf('How to withdraw.', 'At the reception or at https://example.com/withdraw, at any time.')
  withdrawal?: string;

  @itemOf('Where to complain.', 'To the data protection authority of your country.')
  complaint?: string;

  @itemOf('What a person can ask for.', 'You can see, correct and erase what we keep.')
  rights?: string;

  @itemOf('Who is responsible.', 'Example Ltd, 1 Example Street; privacy@example.com.')
  controller?: string;
}

export class PublishNoticeBody {
  @ApiProperty({ example: 'access_control', pattern: PURPOSE_PATTERN.source })
  @Matches(PURPOSE_PATTERN)
  purpose: string;

  @ApiProperty({ description: 'BCP 47 language tag.', example: 'en-IN' })
  @IsLanguageTag()
  language: string;

  @ApiProperty({ example: 'Opening doors by face' })
  @IsString()
  @Length(1, 200)
  title: string;

  @ApiPropertyOptional({
    description: 'What the person reads before agreeing. The items one after the other, if left out.',
    example:
      'We keep an encrypted template of your face to open the doors of this building. You can withdraw at any time.',
  })
  @ValidateIf(({ text, items }: PublishNoticeBody) => text !== undefined || !hasItems(items))
  @IsString()
  @Length(1, 20_000)
  text?: string;

  @ApiPropertyOptional({ type: NoticeItemsBody, description: 'The same item by item.' })
  @MayBeLeftOut()
  @IsObject()
  @ValidateNested()
  @Type(() => NoticeItemsBody)
  items?: NoticeItemsBody;

  @ApiPropertyOptional({
    description:
      'Whose law the notice is for: a code of GET /v1/jurisdictions. The items that its policy asks for have to be there.',
    example: 'EU-GDPR',
  })
  @MayBeLeftOut()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description:
      'When consents end that were given under older versions in this language (of subjects of the jurisdiction, if one is named) and were not renewed.',
    example: EXAMPLE.expiry,
  })
  @MayBeLeftOut()
  @Type(() => Date)
  @IsDate()
  renewBy?: Date;
}

function hasItems(items: NoticeItemsBody | undefined): boolean {
  return Object.values(items ?? {}).some((text) => text !== undefined);
}

export class CurrentNoticeQuery {
  @ApiProperty({ example: 'access_control' })
  @Matches(PURPOSE_PATTERN)
  purpose: string;

  @ApiProperty({
    type: String,
    description: 'Language ranges parted by commas, the preferred one first (RFC 4647 section 3.4).',
    example: 'hi-IN,en-IN',
  })
  @Transform(({ value }: { value: unknown }) => String(value).split(','))
  @ArrayMaxSize(20)
  @Matches(LANGUAGE_RANGE, { each: true })
  language: string[];

  @ApiPropertyOptional({ description: 'Only notices for it, and those that name none.', example: 'EU-GDPR' })
  @IsOptional()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;
}

export class NoticesQuery extends PageQuery {
  @ApiPropertyOptional({ example: 'access_control' })
  @IsOptional()
  @Matches(PURPOSE_PATTERN)
  purpose?: string;

  @ApiPropertyOptional({ example: 'en-IN' })
  @IsOptional()
  @IsLanguageTag()
  language?: string;
}

export class NoticeResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.noticeId })
  id: string;

  @ApiProperty({ example: 'access_control' })
  purpose: string;

  @ApiProperty({ example: 'en-IN' })
  language: string;

  @ApiProperty({ description: 'Counts up by purpose and language.', example: 1 })
  version: number;

  @ApiProperty({ example: 'Opening doors by face' })
  title: string;

  @ApiProperty({ example: 'We keep an encrypted template of your face to open the doors of this building.' })
  text: string;

  @ApiProperty({ type: NoticeItemsBody, nullable: true })
  items: NoticeItemsBody | null;

  @ApiProperty({ type: String, nullable: true, example: 'EU-GDPR' })
  jurisdiction: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  renewBy: Date | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The hash of the version before it, in the same purpose and language.',
    example: null,
  })
  previousHash: string | null;

  @ApiProperty({ enum: [1, 2], description: 'How the hash was made.', example: 2 })
  format: number;

  @ApiProperty({
    description:
      'SHA-256, hex, of the JSON array ["velum notice v2", purpose, language, version, title, text, items as [name, text] pairs in the order of their names above or null, jurisdiction, renewBy, previousHash]; of format 1 of ["velum notice v1", purpose, language, version, title, text].',
    example: '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03',
  })
  hash: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  createdAt: Date;
}

export class NoticePage {
  @ApiProperty({ type: [NoticeResponse] })
  items: NoticeResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
