import { type BiometricSample, MOST_PHOTOS, MOST_TOP_K } from '#biometrics/biometric-sample';
import { ImageTooLarge } from '#biometrics/biometrics.errors';
import { LARGEST_IMAGE_BYTES } from '#faces/image-limits';
import { MAX_DIMENSION } from '#homomorphic/parameters';
import { InvalidRequest } from '#platform/platform.errors';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Max,
  Min,
} from 'class-validator';
import { EXAMPLE, EXAMPLE_EMBEDDING } from '../openapi/examples.js';
import type { Uploads } from '../request/photo-upload.interceptor.js';

class EmbeddingBody {
  @ApiPropertyOptional({
    description: "An embedding made by the gallery's model, as many numbers as its dimension.",
    type: [Number],
    example: EXAMPLE_EMBEDDING,
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_DIMENSION)
  @IsNumber({}, { each: true })
  embedding?: number[];
}

export class EnrolBody extends EmbeddingBody {
  @ApiPropertyOptional({
    description:
      'One to five photographs of the same person (JPEG, PNG, WebP; base64): several make a better template.',
    type: [String],
    format: 'byte',
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MOST_PHOTOS)
  @IsString({ each: true })
  photos?: string[];
}

export class ProbeBody extends EmbeddingBody {
  @ApiPropertyOptional({
    description: 'A photograph (JPEG, PNG, WebP; base64).',
    type: String,
    format: 'byte',
  })
  @IsOptional()
  @IsString()
  photo?: string;
}

export class IdentifyBody extends ProbeBody {
  @ApiPropertyOptional({
    description: 'How many subjects to name at the most.',
    minimum: 1,
    maximum: MOST_TOP_K,
    default: 1,
  })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MOST_TOP_K)
  topK: number = 1;
}

export class VerificationResponse {
  @ApiProperty({ example: true })
  match: boolean;

  @ApiPropertyOptional({
    enum: ['strong', 'sufficient'],
    description: 'Where the gallery discloses it.',
    example: 'strong',
  })
  band?: string;

  @ApiPropertyOptional({ description: 'Where the gallery reports it.', example: false })
  spoofSuspected?: boolean;
}

class CandidateResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.templateId })
  templateId: string;

  @ApiPropertyOptional({
    enum: ['strong', 'sufficient'],
    description: 'Where the gallery discloses it.',
    example: 'strong',
  })
  band?: string;
}

export class IdentificationResponse {
  @ApiProperty({
    type: [CandidateResponse],
    description: 'Best first; empty if nobody is above the threshold.',
  })
  candidates: CandidateResponse[];

  @ApiPropertyOptional({ description: 'Where the gallery reports it.', example: false })
  spoofSuspected?: boolean;
}

/** Exactly one of files, base64 photographs and embedding; throws InvalidRequest. */
export function sampleOf(
  { files, photos: takenPhotos, embedding: takenEmbedding }: Uploads,
  photos: readonly string[] | undefined,
  embedding: readonly number[] | undefined,
  mostPhotos: number,
): BiometricSample {
  const given = [files.length > 0, photos !== undefined, embedding !== undefined].filter(Boolean).length;
  if (given !== 1) {
    throw new InvalidRequest([{ field: 'body', message: 'must bring either a photograph or an embedding' }]);
  }
  if (embedding !== undefined) return { embedding: takenEmbedding ?? embedding };
  const images = photos === undefined ? files : (takenPhotos ?? photos.map(decode));
  if (images.length > mostPhotos) {
    throw new InvalidRequest([{ field: 'photos', message: `must be at most ${mostPhotos}` }]);
  }
  return { photos: images };
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  if (base64.length > (LARGEST_IMAGE_BYTES * 4) / 3 + 4) throw new ImageTooLarge();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new InvalidRequest([
      { field: 'photo', message: 'must be base64 without line breaks or a data: prefix' },
    ]);
  }
  return new Uint8Array(Buffer.from(base64, 'base64'));
}
