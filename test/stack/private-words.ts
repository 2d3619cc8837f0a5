import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect } from './check.js';
import { docker } from './engine.js';
import type { Installation } from './installation.js';
import { filesBelow, type Needle } from './plaintext.js';

/** Enough of a secret to know it by; of a PEM file more is in one line of a log in no case. */
const PART = 40;

/** Every secret and private key of the installation, as a log of one line a record could tell it. */
export function secretNeedles({ folder }: Installation): Needle[] {
  const secrets = readdirSync(join(folder, 'secrets'))
    // Of a bucket, which a test may have made up.
    .filter((name) => !name.startsWith('aws_'))
    .map((name) => join(folder, 'secrets', name));
  const keys = filesBelow(join(folder, 'ssl')).filter((name) => /\.key$|privkey/.test(name));
  return [...secrets, ...keys].flatMap((path) => {
    const text = readFileSync(path, 'utf8').trim();
    const bodies = [...text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----\n(?:.+\n)??([\w+/=]+)\n/g)];
    const parts = bodies.length > 0 ? bodies.map(([, line = '']) => line) : [text.replace(/^[ck]\d+:/, '')];
    // Those of a service that is not there are empty.
    return parts.filter(Boolean).map((part) => ({
      name: `the secret ${path.slice(folder.length)}`,
      bytes: Buffer.from(part.slice(-PART)),
    }));
  });
}

/** A photograph in which nobody is: noise, so that a part of it is nowhere else. */
export async function photographOfNobody(): Promise<Buffer> {
  const [width, height] = [160, 120];
  return sharp(randomBytes(width * height * 3), { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer();
}

/** A part of its compressed data, as a file and as JSON have it. */
export function photographNeedles(jpeg: Buffer): Needle[] {
  // Base64 is the same for three bytes that begin at a multiple of three.
  const at = Math.floor(jpeg.length / 6) * 3;
  const part = jpeg.subarray(at, at + 48);
  return [
    { name: 'a photograph', bytes: part },
    { name: 'a photograph, base64', bytes: Buffer.from(part.toString('base64')) },
  ];
}

/** As nginx sees who calls from this machine. */
export function addressOfClients(server: Installation): string {
  const gateways = '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}';
  const address = docker('inspect', '-f', gateways, server.container('nginx'));
  expect(/^\d+\.\d+\.\d+\.\d+$/.test(address), `nginx has the gateways ${address}`);
  return address;
}

/** Throws if the lines hold what is nobody's business who reads logs. */
export function expectNothingPrivate(server: Installation, text: string, photograph?: Buffer): void {
  const photographs = photograph === undefined ? [] : photographNeedles(photograph);
  const found = [...secretNeedles(server), ...photographs].find(({ bytes }) =>
    text.includes(bytes.toString('latin1')),
  );
  expect(found === undefined, `in a log: ${found?.name}`);
  const address = addressOfClients(server).replaceAll('.', '\\.');
  expect(!new RegExp(`\\b${address}\\b`).test(text), 'the address of a client is in a log');
  expect(!/(-?0\.\d+,\s*){8}/.test(text), 'an embedding is in a log');
}

/** What all containers of now wrote to both of their outputs. */
export async function logsOfAll(server: Installation): Promise<string> {
  const { services } = await server.status();
  const ids = Object.keys(services).flatMap((service) => server.containers(service));
  return ids.map(logOf).join('\n');
}

function logOf(container: string): string {
  const { stdout, stderr } = spawnSync('docker', ['logs', container], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return stdout + stderr;
}
