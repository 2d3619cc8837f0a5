import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect, type PeerCertificate } from 'node:tls';
import { AcmeServer } from './acme.js';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { docker } from './engine.js';
import { type Ended, type Installation, NUMBER } from './installation.js';
import { Load } from './load.js';
import type { Story } from './story.js';

/** The public certificate: fetched by certbot, looked through, and read by nginx without a restart. */
export async function checkCertificates(
  table: Table,
  server: Installation,
  client: StackClient,
  { gallery, face, verifyPath }: Story,
): Promise<void> {
  const live = join(server.folder, 'ssl/letsencrypt/live/velum');
  const selfSigned = await shown(server.httpsPort);
  const kept = ['privkey.pem', 'fullchain.pem'].map((name) => ({
    path: join(live, name),
    text: readFileSync(join(live, name), 'utf8'),
  }));

  await table.check('renew-certs leaves a certificate of your own as it is', async () => {
    const { status, text } = await server.run(['renew-certs']);
    expect(status === 0 && text.includes('unchanged'), text);
    expect((await shown(server.httpsPort)).fingerprint256 === selfSigned.fingerprint256, 'another is shown');
    return 'unchanged';
  });

  const acme = await AcmeServer.start(join(server.folder, 'acme'), NUMBER, server.httpPort);
  // For certbot.
  process.env['REQUESTS_CA_BUNDLE'] = acme.certificate;
  const renew = (...args: string[]): Promise<Ended> => server.run(['renew-certs', ...args]);
  try {
    server.set({ ACME_EMAIL: 'operator@example.org', ACME_SERVER: acme.url });
    const anyone = client.trusting(server.certificate + (await acme.root()));
    await table.check('certbot gets one through nginx, and nginx shows it', async () => {
      const body = JSON.stringify({ embedding: face });
      const load = new Load(
        anyone,
        { path: verifyPath, body },
        `/v1/galleries/${gallery}/jobs?type=identify`,
      );
      await setTimeout(2_000);
      const { status, text } = await renew();
      await setTimeout(2_000);
      await load.stop();
      expect(status === 0, text);
      const now = await shown(server.httpsPort);
      expect(now.issuer.CN.startsWith('Pebble'), `shown: ${now.issuer.CN}`);
      return `by ${now.issuer.CN}; the reload cost ${load.failures.length} of ${load.calls.length} calls under load`;
    });

    await table.check('a second renew-certs changes nothing, --force gets another', async () => {
      const before = await shown(server.httpsPort);
      const again = await renew();
      expect(again.status === 0 && again.text.includes('unchanged'), again.text);
      const forced = await renew('--force');
      expect(forced.status === 0, forced.text);
      const after = await shown(server.httpsPort);
      expect(before.fingerprint256 !== after.fingerprint256, 'the same one is shown');
      return 'unchanged; then another fingerprint';
    });

    await table.check('a certificate that does not fit is refused, and the one before stays', async () => {
      const before = await shown(server.httpsPort);
      const certbot = join(server.folder, 'ssl/certbot');
      cpSync(certbot, `${certbot}.kept`, { recursive: true, verbatimSymlinks: true });
      const key = readFileSync(join(live, 'privkey.pem'), 'utf8');
      // As after a botched copy: the chain of one certificate and the key of another.
      writeFileSync(join(certbot, 'live/velum/privkey.pem'), otherKey());
      const { status, text } = await renew();
      rmSync(certbot, { recursive: true });
      cpSync(`${certbot}.kept`, certbot, { recursive: true, verbatimSymlinks: true });
      expect(status === 1 && text.includes('is not the key of'), text);
      expect(readFileSync(join(live, 'privkey.pem'), 'utf8') === key, 'the key was replaced');
      expect((await shown(server.httpsPort)).fingerprint256 === before.fingerprint256, 'another is shown');
      return text.split('\n').at(-1)?.slice(10) ?? '';
    });

    await table.check('without an answer of the authority the one before stays', async () => {
      acme.stop();
      const { status, text } = await renew('--force');
      expect(status === 1 && text.includes('the one there stays'), text);
      const { status: answered } = await anyone.send('GET', '/v1/models');
      expect(answered === 200, `nginx answers ${answered}`);
      return 'exit code 1';
    });
  } finally {
    acme.stop();
    server.set({ ACME_EMAIL: '', ACME_SERVER: '' });
    for (const { path, text } of kept) writeFileSync(path, text);
    await server.run(['renew-certs']);
  }

  await table.check('nginx that is closed to clients is not healthy', () => withoutTls(server));
}

/** Its port for clients is closed, while the rest of it works. */
async function withoutTls(server: Installation): Promise<string> {
  const path = join(server.folder, 'infra/nginx/nginx.conf');
  const text = readFileSync(path, 'utf8');
  const nginx = server.container('nginx');
  const reload = (conf: string): string => {
    writeFileSync(path, conf);
    return docker('exec', nginx, 'nginx', '-q', '-c', '/etc/velum/nginx/nginx.conf', '-s', 'reload');
  };
  const looks = (): boolean =>
    spawnSync('docker', ['exec', nginx, 'bash', '/etc/velum/nginx/healthy.sh'], { stdio: 'ignore' })
      .status === 0;
  const until = async (wanted: boolean): Promise<void> => {
    const deadline = Date.now() + 20_000;
    while (looks() !== wanted) {
      expect(Date.now() < deadline, wanted ? 'it stays sick' : 'its health check sees nothing');
      await setTimeout(200);
    }
  };
  await until(true);
  reload(text.replace('listen 443 ssl', 'listen 444 ssl'));
  try {
    await until(false);
  } finally {
    reload(text);
  }
  await until(true);
  return 'unhealthy, and healthy again with it';
}

/** What nginx shows whoever comes now. */
function shown(port: number): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    // It is looked at, and nothing is sent.
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'velum.localhost',
      rejectUnauthorized: false,
    });
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

function otherKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
