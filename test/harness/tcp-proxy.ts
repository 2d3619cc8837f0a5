import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';

interface Hold {
  readonly direction: 'requests' | 'answers';
  /** What passes on a connection before nothing does any more. */
  readonly after: number;
  readonly held: () => void;
}

/** A network that can be told to swallow what is sent, at an exact place; `target` may move while it runs. */
export class TcpProxy {
  private hold: Hold | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    public target: string,
  ) {
    server.on('connection', (client) => this.join(client));
  }

  static async start(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(createServer(), target);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Resolves when a connection of more than `after` bytes in that direction is held up. */
  holdUp(direction: Hold['direction'], after: number): Promise<void> {
    return new Promise((held) => {
      this.hold = { direction, after, held };
    });
  }

  letThrough(): void {
    this.hold = undefined;
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private join(client: Socket): void {
    const { hostname, port } = new URL(this.target);
    const server = new Socket().connect(Number(port), hostname);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
    const sent = { requests: 0, answers: 0 };
    const pass = (direction: Hold['direction'], to: Socket, part: Buffer): void => {
      sent[direction] += part.length;
      // An answer counts as held only on a connection over which an upload went.
      const { hold } = this;
      if (hold === undefined || hold.direction !== direction || sent.requests <= hold.after) to.write(part);
      else hold.held();
    };
    client.on('data', (part: Buffer) => pass('requests', server, part));
    server.on('data', (part: Buffer) => pass('answers', client, part));
  }
}
