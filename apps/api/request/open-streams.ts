import { Injectable } from '@nestjs/common';
import type { Response } from 'express';

/** Answers that never end by themselves: they must not keep a process from ending. */
@Injectable()
export class OpenStreams {
  private readonly draining = new AbortController();

  /** Aborts when the client has gone, or when the process drains. */
  signalOf(response: Response): AbortSignal {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    return AbortSignal.any([gone.signal, this.draining.signal]);
  }

  end(): void {
    this.draining.abort();
  }
}
