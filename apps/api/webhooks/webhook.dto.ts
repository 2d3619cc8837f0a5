import {
  DELIVERY_FAILURES,
  DELIVERY_STATES,
  type DeliveryState,
  WEBHOOK_EVENT_TYPES,
  WEBHOOK_STATES,
  type WebhookEventType,
  type WebhookState,
} from '#webhooks/webhook';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';

export class CreateWebhookBody {
  @ApiProperty({
    description: 'Called by POST with JSON; https: and a public address, or what the operator allows.',
    example: 'https://hooks.example.com/velum',
    minLength: 1,
    maxLength: 2_000,
  })
  @IsString()
  @Length(1, 2_000)
  url: string;

  @ApiPropertyOptional({ example: 'Enrolment of the payroll', minLength: 1, maxLength: 200 })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  description?: string;
}

export class WebhookResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.webhookId })
  id: string;

  @ApiProperty({ example: 'https://hooks.example.com/velum' })
  url: string;

  @ApiProperty({ type: String, nullable: true, example: 'Enrolment of the payroll' })
  description: string | null;

  @ApiProperty({
    enum: WEBHOOK_STATES,
    description: '`disabled`: the receiver answered 410 Gone.',
    example: 'active',
  })
  state: WebhookState;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  createdAt: Date;
}

export class CreatedWebhookResponse extends WebhookResponse {
  @ApiProperty({
    description:
      'Checks the signature of what comes (standardwebhooks.com). Keep it: no other call shows it.',
    example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  })
  secret: string;
}

export class DeliveryResponse {
  @ApiProperty({
    format: 'uuid',
    description: 'The header webhook-id, the same in every attempt.',
    example: EXAMPLE.deliveryId,
  })
  id: string;

  @ApiProperty({ enum: WEBHOOK_EVENT_TYPES, example: 'job.ended' })
  type: WebhookEventType;

  @ApiProperty({ enum: DELIVERY_STATES, example: 'waiting' })
  state: DeliveryState;

  @ApiProperty({ example: 1 })
  attempts: number;

  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'What the receiver answered at last.',
    example: 500,
  })
  status: number | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: Object.entries(DELIVERY_FAILURES)
      .map(([code, sentence]) => `\`${code}\`: ${sentence}`)
      .join('\n\n'),
    example: 'not_accepted',
  })
  code: string | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  createdAt: Date;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: EXAMPLE.time })
  attemptedAt: Date | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: EXAMPLE.time })
  nextAttemptAt: Date | null;
}

export class WebhookWithDeliveriesResponse extends WebhookResponse {
  @ApiProperty({ type: [DeliveryResponse], description: 'The last twenty, newest first.' })
  deliveries: DeliveryResponse[];
}

export class WebhookPage {
  @ApiProperty({ type: [WebhookResponse] })
  items: WebhookResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

export class TestedWebhookResponse {
  @ApiProperty({ format: 'uuid', description: 'Of the delivery.', example: EXAMPLE.deliveryId })
  id: string;
}
