import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { KmsDataKeys } from './kms-data-keys.js';

/** What Vault makes: base64 of a key, sealed; here turned round. */
const [first, second] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
const LINES = `c2:vault:v1:${turned(second)}\nc1:vault:v1:${turned(first)}\n`;

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

type Answer = (ciphertext: string) => { readonly status?: number; readonly body: string } | 'never';

function turned(text: string): string {
  return Buffer.from([...text].toReversed().join('')).toString('base64');
}

const decrypts: Answer = (ciphertext) => {
  const sealed = Buffer.from(ciphertext.replace('vault:v1:', ''), 'base64').toString();
  return { body: JSON.stringify({ data: { plaintext: [...sealed].toReversed().join('') } }) };
};

/** Of a service that answers so: what the process gets, and what the service was asked. */
async function keysFrom(answer: Answer, limitMs = 5_000): Promise<{ keys: KmsDataKeys; asked: Asked[] }> {
  const asked: Asked[] = [];
  server = createServer((request, response) => {
    void json(request).then((body) => {
      asked.push({ method: request.method, url: request.url, headers: request.headers });
      const ciphertext = Object(body)['ciphertext'];
      const answered = answer(String(ciphertext));
      if (answered === 'never') response.write('{"data":');
      else response.writeHead(answered.status ?? 200).end(answered.body);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a server that listens on a port
  const { port } = server.address() as AddressInfo;
  const kms = { url: `http://127.0.0.1:${port}/v1/transit/decrypt/velum`, token: 't0ken', caFile: undefined };
  return { keys: new KmsDataKeys(LINES, kms, limitMs), asked };
}

test('a process that may has its keys opened by the service, of which the first encrypts', async () => {
  const { keys, asked } = await keysFrom(decrypts);
  const keyring = await keys.keys();
  expect(keyring.keyIds).toEqual(['custody:c2', 'custody:c1']);
  expect(keyring.serialise()).toBe(`c2:${second}\nc1:${first}`);
  expect(asked).toHaveLength(2);
  const { method, url, headers } = asked[0] ?? {};
  expect([method, url, headers?.['x-vault-token']]).toEqual(['POST', '/v1/transit/decrypt/velum', 't0ken']);
});

test.each<[string, Answer, string]>([
  ['refuses the token', () => ({ status: 403, body: '{"errors":["permission denied"]}' }), 'answered 403'],
  ['is sealed', () => ({ status: 503, body: '{"errors":["Vault is sealed"]}' }), 'answered 503'],
  ['sends the caller elsewhere', () => ({ status: 307, body: '' }), 'answered 307'],
  ['answers no JSON', () => ({ body: '<html>' }), 'something else than a key'],
  ['answers nothing', () => ({ body: 'null' }), 'something else than a key'],
  ['answers another member', () => ({ body: '{"data":{"ciphertext":"x"}}' }), 'something else than a key'],
  ['answers a short key', () => ({ body: '{"data":{"plaintext":"c2hvcnQ="}}' }), 'keys of 32 bytes'],
])('a service that %s opens nothing, and its answer is not shown', async (_what, answer, says) => {
  const { keys } = await keysFrom(answer);
  const refusal = await keys.keys().then(String, String);
  expect(refusal).toContain(says);
  expect(refusal).not.toMatch(/t0ken|vault:v1|permission|c2hvcnQ/);
});

test('a service that begins an answer and does not end it is given up', async () => {
  const { keys } = await keysFrom(() => 'never', 200);
  await expect(keys.keys()).rejects.toThrow('took too long');
});

test('a service that is away opens nothing', async () => {
  const kms = { url: 'http://127.0.0.1:9/v1/transit/decrypt/velum', token: 't', caFile: undefined };
  await expect(new KmsDataKeys(LINES, kms).keys()).rejects.toThrow('cannot be reached');
});
