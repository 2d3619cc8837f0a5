import { currentContext } from '#platform/request-context';
import type { ClientId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { TooManyStreams } from '../problem/http.errors.js';

/** Of one client in one process: each asks the database twice a second. */
const MOST_STREAMS = 50;

/** Answers that never end by themselves: they must not keep a process from ending, nor one client take it up. */
@Injectable()
export class OpenStreams {
  private readonly draining = new AbortController();
  private readonly open = new Map<ClientId | undefined, number>();

  /** Aborts when the client has gone, or when the process drains. Throws TooManyStreams. */
  signalOf(response: Response): AbortSignal {
    const clientId = currentContext()?.clientId;
    const before = this.open.get(clientId) ?? 0;
    if (before >= MOST_STREAMS) throw new TooManyStreams();
    this.open.set(clientId, before + 1);
    const gone = new AbortController();
    response.once('close', () => {
      gone.abort();
      const left = (this.open.get(clientId) ?? 1) - 1;
      if (left > 0) this.open.set(clientId, left);
      else this.open.delete(clientId);
    });
    return AbortSignal.any([gone.signal, this.draining.signal]);
  }

  end(): void {
    this.draining.abort();
  }
}
