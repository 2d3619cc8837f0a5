import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority in `folder` that signs for servers on this machine and for roles of the database. Answers paths. */
export class Authority {
  readonly cert: string;
  private readonly key: string;

  constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {
    this.cert = join(folder, `${name}.crt`);
    this.key = join(folder, `${name}.key`);
    openssl('req', '-x509', ...newKey(this.key), '-subj', `/CN=${name}`, '-days', '2', '-out', this.cert);
  }

  sign(commonName: string): Certificate {
    const path = join(this.folder, `${this.name}-${commonName}`);
    const [cert, key, request, extensions] = ['crt', 'key', 'csr', 'ext'].map((kind) => `${path}.${kind}`);
    writeFileSync(extensions ?? '', 'subjectAltName=DNS:localhost\n');
    openssl('req', ...newKey(key ?? ''), '-subj', `/CN=${commonName}`, '-out', request ?? '');
    openssl(
      'x509',
      '-req',
      '-in',
      request ?? '',
      '-CA',
      this.cert,
      '-CAkey',
      this.key,
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      extensions ?? '',
      '-out',
      cert ?? '',
    );
    return { cert: cert ?? '', key: key ?? '' };
  }
}

function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path];
}

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
