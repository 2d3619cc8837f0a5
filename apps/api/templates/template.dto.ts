import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { EXAMPLE } from '../openapi/examples.js';

export class EnrolledResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.templateId })
  id: string;

  @ApiPropertyOptional({ description: 'Where the gallery reports it.', example: false })
  spoofSuspected?: boolean;
}

export class TemplateResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.templateId })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.galleryId })
  galleryId: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({
    format: 'uuid',
    description: 'The consent under which it was made.',
    example: EXAMPLE.consentId,
  })
  consentId: string;

  @ApiProperty({ description: 'How many photographs it was averaged from; 0 for an embedding.', example: 3 })
  photos: number;

  @ApiProperty({ description: 'Bytes of the sealed template.', example: 512 })
  bytes: number;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  createdAt: Date;
}
