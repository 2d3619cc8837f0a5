import { ApiProperty } from '@nestjs/swagger';
import { EXAMPLE } from '../openapi/examples.js';

/** How a rotation of keys ends, and what proves it. */
export class ProvedProgress {
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description:
      'By the pace until now; null while there is none, while it waits, and where nothing is left.',
    example: EXAMPLE.time,
  })
  expectedEndAt: Date | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  endedAt: Date | null;

  @ApiProperty({
    type: [String],
    format: 'uuid',
    description: 'The audit events that prove it, in their order; GET /v1/admin/audit-events/{id}/proof.',
    example: [EXAMPLE.eventId],
  })
  auditRecords: string[];
}
