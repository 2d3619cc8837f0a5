import { createServer } from 'node:net';

/** `wanted` if nobody listens there, else any free port of the loopback interface. */
export async function freePort(wanted = 0): Promise<number> {
  try {
    return await bind(wanted);
  } catch (error) {
    if (wanted === 0) throw error;
    return bind(0);
  }
}

function bind(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(bound));
    });
  });
}
