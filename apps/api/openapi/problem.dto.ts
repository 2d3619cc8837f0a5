import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

class ProblemField {
  @ApiProperty({ example: 'name' })
  field: string;

  @ApiProperty({ example: 'name must be longer than or equal to 1 characters' })
  message: string;
}

/** RFC 9457. */
export class Problem {
  @ApiProperty({ example: '/problems/gallery_not_found' })
  type: string;

  @ApiProperty({ example: 'No such gallery' })
  title: string;

  @ApiProperty({ example: 404 })
  status: number;

  @ApiProperty({
    description: 'What to do next.',
    example: 'Use the id of a gallery that this client created.',
  })
  detail: string;

  @ApiProperty({ description: 'Stable: program against it.', example: 'gallery_not_found' })
  code: string;

  @ApiProperty({
    description: 'The operator finds the log by it.',
    example: '019ac5c2-7c1e-7d3a-8a52-0d6d2f6e3b10',
  })
  requestId: string;

  @ApiPropertyOptional({ type: [ProblemField] })
  errors?: ProblemField[];
}
