import { Controller, Get, Param } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from '../auth/scopes.decorator.js';
import { RouteNotFound } from './http.errors.js';
import { PROBLEM_CATALOGUE } from './problem-catalogue.js';

/** What the `type` of a problem leads to. */
@ApiExcludeController()
@Controller('problems')
export class ProblemsController {
  @Get(':code')
  @Public()
  find(@Param('code') code: string): object {
    const found = PROBLEM_CATALOGUE.find(({ problem }) => problem.code === code);
    if (found === undefined) throw new RouteNotFound();
    return found.problem;
  }
}
