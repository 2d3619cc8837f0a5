import { JurisdictionInUse, SubjectNotFound, SubjectReferenceTaken } from '#consent/consent.errors';
import { FindSubject, type SubjectView } from '#consent/find-subject';
import type { Corrected } from '#consent/subject-correction';
import type { ClientId, SubjectId } from '#platform/ids';
import { JurisdictionUnknown } from '#policy/policy.errors';
import { CorrectSubject } from '#rights/correct-subject';
import { ExportSubject } from '#rights/export-subject';
import { FindNominee, type NomineeView } from '#rights/find-nominee';
import { RecordNominee } from '#rights/record-nominee';
import { RemoveNominee } from '#rights/remove-nominee';
import { CaseNotFound, CaseOfAnotherKind, CaseStepImpossible, NomineeNotFound } from '#rights/rights.errors';
import {
  Body,
  Controller,
  Delete,
  Get,
  Param,
  Patch,
  Put,
  Query,
  type StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { CurrentClient } from '../auth/current-client.decorator.js';
import { Operation } from '../openapi/operation.decorator.js';
import { HeadReadsNothing } from '../request/head-reads-nothing.interceptor.js';
import { IdPipe } from '../request/id.pipe.js';
import { exportFile } from './export-file.js';
import {
  CorrectedSubjectResponse,
  CorrectSubjectBody,
  EXAMPLE_NOMINEE,
  ExportQuery,
  ExportResponse,
  NomineeBody,
  NomineeResponse,
} from './subject-rights.dto.js';

@ApiTags('Rights of the data principal')
@Controller('v1/subjects/:subjectId')
export class SubjectRightsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Patch()
  @Operation({
    summary: 'Correct a subject',
    description:
      'The reference, the jurisdiction, the day of coming of age. Consents that the person could not give end, and nobody is matched under them from this answer on. With `caseId` the request for correction is fulfilled.',
    scope: 'consent:write',
    status: 200,
    response: { type: CorrectedSubjectResponse, description: 'The subject.' },
    problems: [
      SubjectNotFound,
      SubjectReferenceTaken,
      JurisdictionUnknown,
      JurisdictionInUse,
      CaseNotFound,
      CaseOfAnotherKind,
      CaseStepImpossible,
    ],
  })
  async correct(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Body() { caseId, ...correction }: CorrectSubjectBody,
  ): Promise<SubjectView & Corrected> {
    const corrected = await this.commands.execute(
      new CorrectSubject(clientId, subjectId, correction, caseId),
    );
    return { ...(await this.queries.execute(new FindSubject(clientId, subjectId))), ...corrected };
  }

  @Get('export')
  @UseInterceptors(HeadReadsNothing)
  @Operation({
    summary: 'Export all that is held about a subject',
    description:
      'Table by table, each with its source, and the audit entries with their proofs: for access (GDPR Art. 15) and portability (Art. 20). That it was exported is recorded.',
    scope: 'consent:read',
    status: 200,
    response: { type: ExportResponse, description: 'All that is held.' },
    problems: [SubjectNotFound],
  })
  async export(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Query() { format }: ExportQuery,
  ): Promise<StreamableFile> {
    return exportFile(await this.commands.execute(new ExportSubject(clientId, subjectId)), format);
  }

  @Put('nominee')
  @ApiBody({ type: NomineeBody, examples: { nominee: { value: EXAMPLE_NOMINEE } } })
  @Operation({
    summary: 'Record or change the nominee of a subject',
    description:
      "Who exercises the person's rights after them (DPDP Act section 14). With `caseId` the request for nomination is fulfilled.",
    scope: 'consent:write',
    status: 200,
    response: { type: NomineeResponse, description: 'The nominee.' },
    problems: [SubjectNotFound, CaseNotFound, CaseOfAnotherKind, CaseStepImpossible],
  })
  async nominate(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Body() { caseId, ...nominee }: NomineeBody,
  ): Promise<NomineeView> {
    await this.commands.execute(new RecordNominee(clientId, subjectId, nominee, caseId));
    return this.queries.execute(new FindNominee(clientId, subjectId));
  }

  @Get('nominee')
  @Operation({
    summary: 'Read the nominee of a subject',
    scope: 'consent:read',
    status: 200,
    response: { type: NomineeResponse, description: 'The nominee.' },
    problems: [SubjectNotFound, NomineeNotFound],
  })
  nominee(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
  ): Promise<NomineeView> {
    return this.queries.execute(new FindNominee(clientId, subjectId));
  }

  @Delete('nominee')
  @Operation({
    summary: 'Remove the nominee of a subject',
    scope: 'consent:write',
    status: 204,
    problems: [SubjectNotFound, NomineeNotFound],
  })
  removeNominee(
    @CurrentClient() clientId: ClientId,
    @Param('subjectId', IdPipe) subjectId: SubjectId,
  ): Promise<void> {
    return this.commands.execute(new RemoveNominee(clientId, subjectId));
  }
}
