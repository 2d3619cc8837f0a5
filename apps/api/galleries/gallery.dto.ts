import { PURPOSE_PATTERN, PURPOSES } from '#consent/purposes';
import { DLIB_RESNET } from '#faces/model-card';
import { MAX_DIMENSION, MIN_DIMENSION } from '#homomorphic/parameters';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';

export class ThresholdBody {
  @ApiPropertyOptional({
    description: "A false match rate of the model's card.",
    enum: [0.01, 0.001, 0.0001],
  })
  @ValidateIf((body: ThresholdBody) => body.cosine === undefined || body.targetFalseMatchRate !== undefined)
  @IsNumber()
  @Min(0)
  @Max(1)
  targetFalseMatchRate?: number;

  @ApiPropertyOptional({
    description: 'Instead of the rate: the least cosine that matches.',
    minimum: 0,
    maximum: 1,
  })
  @ValidateIf((body: ThresholdBody) => body.cosine !== undefined)
  @IsNumber()
  @Min(0)
  @Max(1)
  cosine?: number;
}

export class CreateGalleryBody {
  @ApiProperty({ example: 'Main entrance', minLength: 1, maxLength: 200 })
  @IsString()
  @Length(1, 200)
  name: string;

  @ApiProperty({
    description: `What every subject must consent to: ${PURPOSES.join(', ')}, or a purpose of your own.`,
    example: 'access_control',
    pattern: PURPOSE_PATTERN.source,
  })
  @Matches(PURPOSE_PATTERN)
  purpose: string;

  @ApiPropertyOptional({
    description: 'A model of GET /v1/models, or the name of the model whose embeddings you will send.',
    default: DLIB_RESNET.id,
  })
  @IsString()
  @Matches(/^[\w.-]{1,100}$/)
  model: string = DLIB_RESNET.id;

  @ApiPropertyOptional({
    description: 'Needed for a model of your own.',
    minimum: MIN_DIMENSION,
    maximum: MAX_DIMENSION,
    example: DLIB_RESNET.dimension,
  })
  @IsOptional()
  @IsInt()
  @Min(MIN_DIMENSION)
  @Max(MAX_DIMENSION)
  dimension?: number;

  @ApiPropertyOptional({
    type: ThresholdBody,
    default: { targetFalseMatchRate: 0.001 },
    example: { targetFalseMatchRate: 0.001 },
  })
  @IsObject()
  @ValidateNested()
  @Type(() => ThresholdBody)
  threshold: ThresholdBody = Object.assign(new ThresholdBody(), { targetFalseMatchRate: 0.001 });

  @ApiPropertyOptional({
    description: 'What an answer tells of the score: nothing, or a coarse band. Exact scores are never told.',
    enum: ['none', 'band'],
    default: 'none',
  })
  @IsIn(['none', 'band'])
  disclosure: 'none' | 'band' = 'none';

  @ApiPropertyOptional({
    description: 'What to do when a photograph may show a picture of a face. Unmeasured: see the model card.',
    enum: ['off', 'report', 'refuse'],
    default: 'off',
  })
  @IsIn(['off', 'report', 'refuse'])
  presentationAttack: 'off' | 'report' | 'refuse' = 'off';
}

class ThresholdResponse {
  @ApiProperty({ example: 0.9292 })
  cosine: number;

  @ApiProperty({ type: Number, nullable: true, example: 0.001 })
  targetFalseMatchRate: number | null;
}

export class GalleryResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.galleryId })
  id: string;

  @ApiProperty({ example: 'Main entrance' })
  name: string;

  @ApiProperty({ example: 'access_control' })
  purpose: string;

  @ApiProperty({ example: DLIB_RESNET.id })
  model: string;

  @ApiProperty({ example: 128 })
  dimension: number;

  @ApiProperty({ type: ThresholdResponse })
  threshold: ThresholdResponse;

  @ApiProperty({ enum: ['none', 'band'], example: 'none' })
  disclosure: string;

  @ApiProperty({ enum: ['off', 'report', 'refuse'], example: 'off' })
  presentationAttack: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  createdAt: Date;
}

export class GalleryPage {
  @ApiProperty({ type: [GalleryResponse] })
  items: GalleryResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
