import { KeyCustodian } from '#custody/key-custodian';
import { CUSTODIAN_CALLS, isCustodianCall } from '#custody/wire/custodian-calls';
import { bodyLength, readBody, readMessages } from '#custody/wire/read-body';
import { Controller, NotFoundException, Param, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Histogram } from 'prom-client';
import { InHand } from './in-hand.js';
import { peerOf } from './peer.js';

/** Nothing came for so long: whoever is silent holds memory for nobody. Callers wait 15 seconds by default. */
const LONGEST_SILENCE_MS = 15_000;

const answerSeconds = new Histogram({
  name: 'velum_custody_answer_seconds',
  help: 'How long the custodian took for a call, by the error that it ended with, or ok',
  labelNames: ['call', 'outcome'],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

/** The methods of the port and nothing else. */
@Controller('calls')
export class CallsController {
  private readonly inHand = new Map<string, InHand>();

  constructor(private readonly custodian: KeyCustodian) {}

  @Post(':name')
  call(@Param('name') name: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    if (!isCustodianCall(name)) throw new NotFoundException();
    const caller = peerOf(request) ?? '';
    const inHand = this.inHand.get(caller) ?? new InHand();
    this.inHand.set(caller, inHand);
    return inHand.call(async (taking) => {
      const ended = answerSeconds.startTimer({ call: name });
      const call = CUSTODIAN_CALLS[name];
      const messages = 'encodePart' in call ? readMessages(request, taking) : onlyMessage(request, taking);
      request.socket.setTimeout(LONGEST_SILENCE_MS);
      request.once('end', () => request.socket.setTimeout(0));
      try {
        response.status(200).end(await call.serve(this.custodian, messages));
        ended({ outcome: 'ok' });
      } catch (error) {
        ended({ outcome: error instanceof Error ? error.name : 'unknown' });
        throw error;
      } finally {
        await messages.return();
      }
    });
  }
}

async function* onlyMessage(
  request: Request,
  taking: (bytes: number) => void,
): AsyncGenerator<Buffer<ArrayBuffer>, void> {
  taking(bodyLength(request));
  yield await readBody(request);
}
