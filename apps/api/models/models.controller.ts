import { EMBEDDING_MODELS } from '#faces/model-card';
import { Controller, Get } from '@nestjs/common';
import { ApiProperty, ApiTags } from '@nestjs/swagger';
import { Operation } from '../openapi/operation.decorator.js';

class ModelThreshold {
  @ApiProperty({ example: 0.001 })
  falseMatchRate: number;

  @ApiProperty({ description: 'At and above this cosine two templates match.', example: 0.9292 })
  cosine: number;
}

class ModelResponse {
  @ApiProperty({ example: 'dlib-resnet-v1' })
  id: string;

  @ApiProperty({ example: 128 })
  dimension: number;

  @ApiProperty({ type: [ModelThreshold] })
  thresholds: ModelThreshold[];

  @ApiProperty({ description: 'Training data, accuracy, limits.', example: 'docs/models/dlib-resnet-v1.md' })
  card: string;
}

@ApiTags('Galleries')
@Controller('v1/models')
export class ModelsController {
  @Get()
  @Operation({
    summary: 'List the embedding models',
    description: 'The models that compute embeddings from photographs, with their measured thresholds.',
    scope: 'galleries:read',
    status: 200,
    response: { type: ModelResponse, isArray: true, description: 'The models.' },
  })
  list(): readonly ModelResponse[] {
    return EMBEDDING_MODELS.map(({ thresholds, ...model }) => ({ ...model, thresholds: [...thresholds] }));
  }
}
