import { PURPOSE_PATTERN } from '#consent/purposes';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, Length, Matches } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { PageQuery } from '../request/page.dto.js';
import { IsLanguageTag } from './is-language-tag.decorator.js';

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

  @ApiProperty({
    description:
      'What the person reads before agreeing: data, purpose, retention, how to withdraw and complain.',
    example:
      'We keep an encrypted template of your face to open the doors of this building. You can withdraw at any time.',
  })
  @IsString()
  @Length(1, 20_000)
  text: string;
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

export class NoticeResponse extends PublishNoticeBody {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.noticeId })
  id: string;

  @ApiProperty({ description: 'Counts up by purpose and language.', example: 1 })
  version: number;

  @ApiProperty({
    description:
      'SHA-256, hex, of the JSON array ["velum notice v1", purpose, language, version, title, text].',
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
