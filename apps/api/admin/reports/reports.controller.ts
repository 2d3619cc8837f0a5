import { writeCsv } from '#platform/csv';
import { MakeReport, type Report } from '#records/make-report';
import { ReportSpanInvalid } from '#records/records.errors';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../openapi/operation.decorator.js';
import { AlsoAs, type Representation } from '../../request/representations.js';
import { ReportPath, ReportQuery, ReportResponse } from './report.dto.js';

const AS_CSV: Representation<Report> = {
  format: 'csv',
  // RFC 4180 section 3.
  type: 'text/csv; charset=utf-8; header=present',
  headers: { 'Content-Disposition': 'attachment; filename="report.csv"', 'Cache-Control': 'no-store' },
  write: ({ columns, rows }) => writeCsv(columns, rows),
};

@ApiTags('Administration')
@Controller('v1/admin/reports')
export class ReportsController {
  constructor(private readonly queries: QueryBus) {}

  @Get(':kind')
  @AlsoAs(AS_CSV)
  @Operation({
    summary: 'Count what was done, by interval',
    description:
      'Consents, enrolments, matches, refusals, cases of data principals, openings of scores; as JSON or CSV.',
    scope: 'admin:compliance',
    status: 200,
    response: { type: ReportResponse, description: 'The report.' },
    problems: [ReportSpanInvalid],
  })
  report(
    @Param() { kind }: ReportPath,
    @Query() { format: _format, ...filter }: ReportQuery,
  ): Promise<Report> {
    return this.queries.execute(new MakeReport(kind, filter));
  }
}
