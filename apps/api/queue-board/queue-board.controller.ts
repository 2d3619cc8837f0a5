import { Controller, Get, Next, Req, Res, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { NextFunction, Request, Response } from 'express';
import { Public } from '../auth/scopes.decorator.js';
import { QUEUE_BOARD, QueueBoard } from './queue-board.js';
import { QueueBoardGuard } from './queue-board.guard.js';

/** Not public at all: a guard of its own takes what a browser can send besides a token. */
@ApiExcludeController()
@Controller(QUEUE_BOARD)
@Public()
@UseGuards(QueueBoardGuard)
export class QueueBoardController {
  constructor(private readonly board: QueueBoard) {}

  /** GET alone: whatever bull-board could change cannot be asked for. */
  @Get(['', '*path'])
  show(@Req() request: Request, @Res() response: Response, @Next() next: NextFunction): void {
    this.board.serve(request, response, next);
  }
}
