import {
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  type Transferable,
  Worker,
} from 'node:worker_threads';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly fault?: string;
}

interface Call<Calls> {
  readonly id: number;
  readonly name: keyof Calls;
  readonly input: never;
}

/** A worker thread ended, or failed at a call, for a reason that is no part of its contract. */
export class ThreadFailed extends Error {
  override readonly name = 'ThreadFailed';
}

export type Handlers<Calls> = {
  readonly [Name in keyof Calls]: Calls[Name] extends (input: infer Input) => infer Output
    ? (input: Input) => Answer<Output> | Promise<Answer<Output>>
    : never;
};

interface Answer<Output> {
  readonly value: Output;
  /** Buffers that are handed over instead of copied. */
  readonly transfer?: readonly Transferable[];
}

/**
 * A worker thread with typed calls. `Calls` lists them as functions of one argument. If the thread dies, what waits
 * for it is rejected and the next call starts another.
 */
export class Thread<Calls extends { [Name in keyof Calls]: (input: never) => unknown }> {
  private worker: Worker | undefined;
  private urgent: MessagePort | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 0;
  private closed = false;

  constructor(
    private readonly script: URL,
    private readonly workerData: unknown,
  ) {}

  /** How many calls wait for an answer. */
  get load(): number {
    return this.waiting.size;
  }

  /** Whether it was started: the first call does. */
  get running(): boolean {
    return this.worker !== undefined;
  }

  call<Name extends keyof Calls & string>(
    name: Name,
    input: Parameters<Calls[Name]>[0],
    transfer: readonly Transferable[] = [],
  ): Promise<ReturnType<Calls[Name]>> {
    return this.send(name, input, transfer, false);
  }

  /** The same, ahead of all calls that wait: a call that takes long lets it in between its steps (letUrgentIn). */
  callUrgently<Name extends keyof Calls & string>(
    name: Name,
    input: Parameters<Calls[Name]>[0],
    transfer: readonly Transferable[] = [],
  ): Promise<ReturnType<Calls[Name]>> {
    return this.send(name, input, transfer, true);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.worker?.terminate();
  }

  private send<Name extends keyof Calls & string>(
    name: Name,
    input: Parameters<Calls[Name]>[0],
    transfer: readonly Transferable[],
    urgent: boolean,
  ): Promise<ReturnType<Calls[Name]>> {
    if (this.closed) return Promise.reject(new ThreadFailed('the thread is closed'));
    const worker = (this.worker ??= this.start());
    const port = (urgent ? this.urgent : undefined) ?? worker;
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the thread answers what its Handlers<Calls> say
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      // A process that has nothing else to do, such as one that starts, waits for the answer.
      worker.ref();
      port.postMessage({ id, name, input }, transfer);
    });
  }

  private start(): Worker {
    const worker = new Worker(this.script, { workerData: this.workerData });
    const { port1, port2 } = new MessageChannel();
    this.urgent = port1;
    worker.postMessage(port2, [port2]);
    worker.on('message', ({ id, value, fault }: Reply) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (this.waiting.size === 0) worker.unref();
      if (fault === undefined) waiting?.resolve(value);
      else waiting?.reject(new ThreadFailed(fault));
    });
    worker.on('error', (error) => this.lose(worker, error.name));
    worker.on('exit', () => this.lose(worker, 'exit'));
    worker.unref();
    return worker;
  }

  private lose(worker: Worker, cause: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    const lost = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of lost) reject(new ThreadFailed(`a worker thread ended: ${cause}`));
  }
}

/**
 * Runs in the thread: answers calls one after the other. An error crosses as its name only, never its message. Answers
 * a function by which a handler lets urgent calls in; those MUST have handlers that do not wait.
 */
export function serveCalls<Calls>(handlers: Handlers<Calls>): () => void {
  const port = parentPort;
  if (port === null) throw new Error('serveCalls runs in a worker thread');
  const answer = ({ id }: Call<Calls>, { value, transfer }: Answer<unknown>): void =>
    port.postMessage({ id, value } satisfies Reply, transfer ?? []);
  const refuse = ({ id }: Call<Calls>, error: unknown): void =>
    port.postMessage({ id, fault: error instanceof Error ? error.name : 'an unknown error' } satisfies Reply);
  let last: Promise<void> = Promise.resolve();
  let urgent: MessagePort | undefined;

  function serveNow(call: Call<Calls>): void {
    try {
      const answered = handlers[call.name](call.input);
      if (answered instanceof Promise) throw new TypeError('an urgent call that waits');
      answer(call, answered);
    } catch (error) {
      refuse(call, error);
    }
  }

  port.on('message', (message: Call<Calls> | MessagePort) => {
    if (!('name' in message)) {
      urgent = message;
      urgent.on('message', serveNow);
      return;
    }
    last = last.then(async () => {
      try {
        answer(message, await handlers[message.name](message.input));
      } catch (error) {
        refuse(message, error);
      }
    });
  });

  return () => {
    for (;;) {
      const waiting: { message: Call<Calls> } | undefined = urgent && receiveMessageOnPort(urgent);
      if (waiting === undefined) return;
      serveNow(waiting.message);
    }
  };
}
