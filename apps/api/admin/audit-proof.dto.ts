import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';

const MOST = Number.MAX_SAFE_INTEGER;
const HASH = 'pZKdHlmfOb4pqEeMzmTRDDtYnjMYLrRAVrGOe6XhL+Q=';
const KEY = 'velum.example/audit+a1b2c3d4+AXp5ZXhhbXBsZS1rZXktb2YtMzItYnl0ZXMtLS0tLS0t';

class OptionalTreeSize {
  @ApiPropertyOptional({
    type: Number,
    description: 'Leaves of the tree; of the latest checkpoint, if left out.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MOST)
  treeSize?: number;
}

export class InclusionQuery extends OptionalTreeSize {
  @ApiProperty({ type: Number, description: 'Which leaf, from 0.', example: 0 })
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MOST)
  leafIndex: number;
}

export class EventInclusionQuery extends OptionalTreeSize {}

export class ConsistencyQuery {
  @ApiProperty({ type: Number, description: 'Leaves of the older tree.', example: 1 })
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MOST)
  from: number;

  @ApiPropertyOptional({
    type: Number,
    description: 'Leaves of the newer tree; of the latest checkpoint, if left out.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MOST)
  to?: number;
}

export class CheckpointsQuery {
  @ApiPropertyOptional({ type: Number, description: 'Only those of trees smaller than this.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MOST)
  below?: number;

  @ApiPropertyOptional({ description: 'How many at the most.', minimum: 1, maximum: 1_000, default: 100 })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1_000)
  limit: number = 100;
}

export class AuditExportQuery {
  @ApiPropertyOptional({ type: Number, description: 'The first leaf; 0 if left out.' })
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MOST)
  from: number = 0;

  @ApiPropertyOptional({ type: Number, description: 'Up to, not including, this leaf.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MOST)
  to?: number;
}

export class BundleQuery {
  @ApiPropertyOptional({ type: Number, description: 'The nextLeaf of the previous page.' })
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MOST)
  fromLeaf: number = 0;

  @ApiPropertyOptional({
    description: 'How many entries at the most.',
    minimum: 1,
    maximum: 1_000,
    default: 1_000,
  })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1_000)
  limit: number = 1_000;
}

class Proof {
  @ApiProperty({ type: [String], example: [KEY], description: 'C2SP signed-note.' })
  keys: string[];

  @ApiProperty({ type: [String], example: [HASH], description: 'The proof of RFC 6962, base64.' })
  hashes: string[];
}

export class InclusionResponse extends Proof {
  @ApiProperty({ example: 'velum-audit-inclusion/1' })
  format: string;

  @ApiProperty({ example: 0 })
  leafIndex: number;

  @ApiProperty({ example: 2 })
  treeSize: number;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'C2SP tlog-checkpoint; null if none was signed for this size.',
  })
  checkpoint: string | null;

  @ApiProperty({ example: `AQ${HASH.slice(2)}` })
  commitment: string;

  @ApiProperty({
    type: String,
    nullable: true,
    example: HASH,
    description: 'Null if the entry was forgotten.',
  })
  salt: string | null;

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true, example: {} })
  event: object | null;
}

export class ConsistencyResponse extends Proof {
  @ApiProperty({ example: 'velum-audit-consistency/1' })
  format: string;

  @ApiProperty({ example: 1 })
  from: number;

  @ApiProperty({ example: 2 })
  to: number;

  @ApiProperty({ type: String, nullable: true })
  fromCheckpoint: string | null;

  @ApiProperty({ type: String, nullable: true })
  toCheckpoint: string | null;
}

class CheckpointResponse {
  @ApiProperty({ example: 1 })
  number: number;

  @ApiProperty({ example: 2 })
  treeSize: number;

  @ApiProperty({ description: 'C2SP tlog-checkpoint.' })
  checkpoint: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  signedAt: Date;
}

export class CheckpointList {
  @ApiProperty({ type: [CheckpointResponse] })
  items: CheckpointResponse[];
}

class BundledEntryResponse {
  @ApiProperty({ example: 0 })
  leafIndex: number;

  @ApiProperty({ example: `AQ${HASH.slice(2)}` })
  commitment: string;

  @ApiProperty({ example: HASH })
  salt: string;

  @ApiProperty({ type: 'object', additionalProperties: true, example: {} })
  event: object;

  @ApiProperty({ type: [String], example: [HASH] })
  hashes: string[];
}

export class BundleResponse {
  @ApiProperty({ example: 'velum-audit-bundle/1' })
  format: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ example: 2 })
  treeSize: number;

  @ApiProperty({ description: 'C2SP tlog-checkpoint.' })
  checkpoint: string;

  @ApiProperty({ type: [String], example: [KEY] })
  keys: string[];

  @ApiProperty({ type: [BundledEntryResponse] })
  entries: BundledEntryResponse[];

  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Go on from here; null if this is all.',
    example: null,
  })
  nextLeaf: number | null;

  @ApiProperty({ description: 'Entries that have no leaf yet.', example: 0 })
  waiting: number;
}
