import { ListJurisdictions } from '#policy/list-jurisdictions';
import type { Policy } from '#policy/policies';
import { Controller, Get } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiProperty, ApiTags } from '@nestjs/swagger';
import { EXAMPLE } from '../openapi/examples.js';
import { Operation } from '../openapi/operation.decorator.js';

class JurisdictionResponse {
  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ description: 'Counts up each time that its policy is changed.', example: 1 })
  revision: number;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'What it asks for, each rule with its source. Counsel has to confirm it.',
    example: {},
  })
  document: object;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  publishedAt: Date;
}

@ApiTags('Subjects and consent')
@Controller('v1/jurisdictions')
export class JurisdictionsController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Operation({
    summary: 'List the jurisdictions',
    description: 'The laws that a subject can be under, and the policy that is in force for each.',
    scope: 'consent:read',
    status: 200,
    response: { type: JurisdictionResponse, isArray: true, description: 'The jurisdictions, by code.' },
  })
  list(): Promise<readonly Policy[]> {
    return this.queries.execute(new ListJurisdictions());
  }
}
