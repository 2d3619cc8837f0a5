import { KeyCustodian } from '#custody/key-custodian';
import { CUSTODIAN_CALLS, type CustodianCallName, isCustodianCall } from '#custody/wire/custodian-calls';
import { ConnectionBroken, IncomingFrames, type Outcome, OUTCOMES, sendFrame } from '#custody/wire/frames';
import type { TlsFiles } from '#platform/custodian-config';
import { wipeReads } from '#platform/wiped-sockets';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Histogram } from 'prom-client';
import { InHand } from './in-hand.js';
import { mayAsk, mayCall, peerOf } from './peer.js';
import { refusalOf } from './refusals.js';
import { renewTls, serverTls } from './server-tls.js';

/** Longer than callers pause, so that most calls find a connection. */
const LONGEST_IDLE_MS = 65_000;

/** Nothing of a call came for so long: whoever is silent holds memory for nobody. */
const LONGEST_SILENCE_MS = 15_000;

/** All of a call's input. Between its parts others are made; a search that takes longer has nobody to be told of it any more. */
const LONGEST_INPUT_MS = 120_000;

/** For calls that are under way when the process is told to end. */
const LONGEST_END_MS = 20_000;

const LONGEST_HANDSHAKE_MS = 10_000;

const LONGEST_NAME_BYTES = 64;

const answerSeconds = new Histogram({
  name: 'velum_custody_answer_seconds',
  help: 'How long the custodian took for a call, by the error that it ended with, or ok',
  labelNames: ['call', 'outcome'],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

interface Answer {
  readonly outcome: Outcome;
  readonly body: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** The methods of the port and nothing else, over mutual TLS (docs/adr/0050-frames-over-mutual-tls.md). */
export class CallServer implements BeforeApplicationShutdown {
  private readonly server: Server;
  private readonly inHand = new Map<string, InHand>();
  /** Over which no call is under way: at the end these are closed at once. */
  private readonly idle = new Set<TLSSocket>();
  private readonly sockets = new Set<TLSSocket>();
  private closing = false;

  constructor(
    private readonly custodian: KeyCustodian,
    tls: TlsFiles,
  ) {
    this.server = createServer({ ...serverTls(tls), handshakeTimeout: LONGEST_HANDSHAKE_MS }, (socket) => {
      socket.on('error', () => undefined);
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      // A connection that broke has nobody to be told.
      this.serve(socket).catch(() => socket.destroy());
    });
    wipeReads(this.server);
    renewTls(this.server, tls);
  }

  /** Answers the port. */
  async listen(port: number, host: string): Promise<number> {
    await once(this.server.listen(port, host), 'listening');
    const address: AddressInfo | string | null = this.server.address();
    if (address === null || typeof address === 'string') throw new TypeError('the server has no port');
    return address.port;
  }

  /** Calls that are under way are answered; custody itself ends after that. */
  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.idle) socket.destroy();
    const late = setTimeout(() => {
      for (const socket of this.sockets) socket.destroy();
    }, LONGEST_END_MS);
    await closed;
    clearTimeout(late);
  }

  private async serve(socket: TLSSocket): Promise<void> {
    const peer = peerOf(socket);
    const frames = new IncomingFrames(socket.setNoDelay(true));
    socket.on('timeout', () => socket.destroy());
    while (!this.closing) {
      this.idle.add(socket);
      socket.setTimeout(LONGEST_IDLE_MS);
      const name = await frames.next(LONGEST_NAME_BYTES).finally(() => this.idle.delete(socket));
      socket.setTimeout(LONGEST_SILENCE_MS);
      const { outcome, body } = await this.answer(peer, String(name), frames, socket);
      socket.setTimeout(LONGEST_SILENCE_MS);
      // Whoever does not read its answers gets no others.
      await sendFrame(socket, Buffer.of(OUTCOMES.indexOf(outcome)), body);
    }
    socket.destroySoon();
  }

  /** Reads a call's input to its end, whatever becomes of it; rejects where the connection breaks. */
  private async answer(
    peer: string | undefined,
    name: string,
    frames: IncomingFrames,
    socket: TLSSocket,
  ): Promise<Answer> {
    const caller = peer ?? '';
    const inHand = this.inHand.get(caller) ?? new InHand();
    if (mayAsk(peer)) this.inHand.set(caller, inHand);
    const input = new CallInput(frames, socket);
    try {
      if (!mayAsk(peer)) return { outcome: 'forbidden', body: NOTHING };
      if (!isCustodianCall(name)) return { outcome: 'unknown', body: NOTHING };
      if (!mayCall(peer, name)) return { outcome: 'forbidden', body: NOTHING };
      const ended = answerSeconds.startTimer({ call: name });
      try {
        const body = await inHand.call((taking) =>
          CUSTODIAN_CALLS[name].serve(this.custodian, input.messages(name, taking)),
        );
        ended({ outcome: 'ok' });
        return { outcome: 'ok', body };
      } catch (error) {
        ended({ outcome: error instanceof Error ? error.name : 'unknown' });
        if (error instanceof ConnectionBroken) throw error;
        return refusalOf(error);
      }
    } finally {
      await input.passOver().finally(() => input.dispose());
    }
  }
}

/** The messages of one call. */
class CallInput {
  private readonly deadline: NodeJS.Timeout;
  private over = false;

  constructor(
    private readonly frames: IncomingFrames,
    private readonly socket: TLSSocket,
  ) {
    this.deadline = setTimeout(() => socket.destroy(), LONGEST_INPUT_MS);
  }

  async *messages(
    name: CustodianCallName,
    taking: (bytes: number) => void,
  ): AsyncGenerator<Buffer<ArrayBuffer>, void> {
    while (!this.over) {
      const message = await this.frames.next(undefined, taking);
      if (message === undefined) this.end();
      else {
        // Until the next part begins to come, which may have to be made.
        if ('encodePart' in CUSTODIAN_CALLS[name]) this.socket.setTimeout(0);
        yield message;
      }
    }
  }

  /** What of it nobody has asked for. */
  async passOver(): Promise<void> {
    while (!this.over) if (!(await this.frames.passNext())) this.end();
  }

  dispose(): void {
    clearTimeout(this.deadline);
  }

  private end(): void {
    this.over = true;
    this.dispose();
    this.socket.setTimeout(0);
  }
}
