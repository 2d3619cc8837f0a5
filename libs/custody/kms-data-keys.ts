import { ConfigurationError } from '#platform/config';
import type { KmsConfig } from '#platform/custody-keys-config';
import { Keyring } from '#platform/keyring';
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { DataKeyProvider } from './data-key-provider.js';

const TIME_LIMIT_MS = 10_000;

/**
 * The secret holds wrapped keys, which the transit engine of a Vault or OpenBao opens
 * (https://developer.hashicorp.com/vault/api-docs/secret/transit#decrypt-data): the file alone opens nothing, and the
 * service can take the right back. It is asked once: a service that is away stops a start and nothing that runs.
 */
export class KmsDataKeys extends DataKeyProvider {
  constructor(
    private readonly lines: string,
    private readonly kms: KmsConfig,
    private readonly timeLimitMs = TIME_LIMIT_MS,
  ) {
    super();
  }

  async keys(): Promise<Keyring> {
    const opened: string[] = [];
    for (const line of this.lines.split(/\s+/).filter((part) => part !== '')) {
      const colon = line.indexOf(':');
      opened.push(`${line.slice(0, colon)}:${await this.open(line.slice(colon + 1))}`);
    }
    const keyring = Keyring.parseCustody(opened.join('\n'));
    if (keyring === undefined) throw refused('answered with something else than keys of 32 bytes');
    return keyring;
  }

  private async open(ciphertext: string): Promise<string> {
    const { status, body } = await this.post(JSON.stringify({ ciphertext })).catch(() => {
      throw refused('cannot be reached, or took too long');
    });
    if (status !== 200) throw refused(`answered ${status}: it must permit the token to decrypt`);
    const plaintext = plaintextOf(body);
    if (plaintext === undefined) throw refused('answered with something else than a key');
    return plaintext;
  }

  private post(body: string): Promise<{ status: number | undefined; body: string }> {
    const { url, token, caFile } = this.kms;
    const request = url.startsWith('https:') ? requestHttps : requestHttp;
    const headers = { 'X-Vault-Token': token, 'X-Vault-Request': 'true', 'Content-Type': 'application/json' };
    const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
    // Of the whole exchange: a socket's own time-out begins anew with each byte.
    const signal = AbortSignal.timeout(this.timeLimitMs);
    return new Promise((resolve, reject) => {
      const sent = request(url, { method: 'POST', headers, signal, ...ca }, (response) => {
        text(response).then((answered) => resolve({ status: response.statusCode, body: answered }), reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

function refused(how: string): ConfigurationError {
  return new ConfigurationError(`Velum cannot start:\n  - the key service of CUSTODY_KMS_URL ${how}`);
}

function plaintextOf(body: string): string | undefined {
  try {
    const answer: { data?: { plaintext?: unknown } } | null = JSON.parse(body);
    const plaintext = answer?.data?.plaintext;
    return typeof plaintext === 'string' ? plaintext : undefined;
  } catch {
    return undefined;
  }
}
