import type { Delivery } from '#incidents/confirm-delivery';
import { CHANNELS, type Channel, NOTICE_STATES } from '#incidents/incident';
import type { SubjectId } from '#platform/ids';
import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsDate,
  IsIn,
  ValidateNested,
} from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';

class NotifiedIncidentResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.incidentId })
  id: string;

  @ApiProperty({ type: 'integer', description: "The client's subjects who have to be told.", example: 1 })
  subjects: number;

  @ApiProperty({
    type: 'integer',
    description: 'Of them, those not yet confirmed as delivered.',
    example: 1,
  })
  open: number;
}

export class NotifiedIncidentPage {
  @ApiProperty({ type: [NotifiedIncidentResponse] })
  items: NotifiedIncidentResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

class PersonResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ enum: NOTICE_STATES, description: 'Before this call.', example: 'pending' })
  state: string;
}

class NoticeTextResponse {
  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ example: 'en' })
  language: string;

  @ApiProperty({ example: 'Your personal data: notice of a breach (GDPR Art. 34)' })
  text: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  releasedAt: Date;
}

export class NoticesPage {
  @ApiProperty({ type: [PersonResponse] })
  items: PersonResponse[];

  @ApiProperty({ type: [NoticeTextResponse], description: 'Plain text, by jurisdiction and language.' })
  texts: NoticeTextResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

class DeliveryBody implements Delivery {
  @ApiProperty({ type: String, format: 'uuid', example: EXAMPLE.subjectId })
  @IsId()
  subjectId: SubjectId;

  @ApiProperty({ enum: ['delivered', 'failed'], example: 'failed' })
  @IsIn(['delivered', 'failed'])
  outcome: 'delivered' | 'failed';

  @ApiProperty({
    type: String,
    format: 'date-time',
    description: 'Not in the future.',
    example: EXAMPLE.time,
  })
  @Type(() => Date)
  @IsDate()
  at: Date;

  @ApiProperty({ enum: CHANNELS, example: 'email' })
  @IsIn(CHANNELS)
  channel: Channel;
}

export class DeliveriesBody {
  @ApiProperty({ type: [DeliveryBody], minItems: 1, maxItems: 1_000 })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1_000)
  @ArrayUnique(({ subjectId }: DeliveryBody) => subjectId)
  @ValidateNested({ each: true })
  @Type(() => DeliveryBody)
  deliveries: DeliveryBody[];
}
