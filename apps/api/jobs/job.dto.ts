import { MOST_TOP_K } from '#biometrics/biometric-sample';
import { JOB_STATES, JOB_TYPES, type JobState, type JobType } from '#jobs/job';
import type { GalleryId } from '#platform/ids';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';

export class CreateJobQuery {
  @ApiProperty({ enum: JOB_TYPES, enumName: 'JobType', example: 'enrol' })
  @IsIn(JOB_TYPES)
  type: JobType;

  // No default in the document: the explorer would fill it in, and it belongs to one type alone.
  @ApiPropertyOptional({
    type: 'integer',
    description: 'Of `identify`: how many subjects to name for each face at the most; 1 without it.',
    minimum: 1,
    maximum: MOST_TOP_K,
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MOST_TOP_K)
  topK?: number;

  @ApiPropertyOptional({
    type: String,
    format: 'uuid',
    description:
      'Of `re-embed`: the gallery whose older templates of the same subject go when a new one is kept; the same gallery re-seals.',
  })
  @IsOptional()
  @IsId()
  replaces?: GalleryId;
}

export class ResultsQuery {
  @ApiPropertyOptional({ description: 'The cursor of the last line that you have.' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  cursor?: string;
}

export class JobResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.jobId })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.galleryId })
  galleryId: string;

  @ApiProperty({ enum: JOB_TYPES, enumName: 'JobType', example: 'enrol' })
  type: JobType;

  @ApiProperty({
    enum: JOB_STATES,
    enumName: 'JobState',
    description:
      '`received`: the input is stored and waits to be read; `failed`: the input as a whole was refused, see `code`.',
    example: 'running',
  })
  state: JobState;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Why the job failed: docs/jobs.md.',
    example: null,
  })
  code: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'What the code means.', example: null })
  detail: string | null;

  @ApiProperty({ type: Number, nullable: true, description: 'Known once the input was read.', example: 2000 })
  total: number | null;

  @ApiProperty({ example: 640 })
  done: number;

  @ApiProperty({ description: 'Items refused with a code.', example: 3 })
  refused: number;

  @ApiProperty({ description: 'Items that failed after retries: a fault of ours.', example: 0 })
  failed: number;

  @ApiProperty({ type: Number, nullable: true, example: 14.2 })
  itemsPerSecond: number | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  estimatedEnd: Date | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  createdAt: Date;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: EXAMPLE.time })
  startedAt: Date | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  endedAt: Date | null;
}

export class JobPage {
  @ApiProperty({ type: [JobResponse] })
  items: JobResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
