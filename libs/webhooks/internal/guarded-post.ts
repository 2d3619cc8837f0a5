import { lookup, Resolver } from 'node:dns/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { DeliveryFailure } from '../webhook.js';
import { hostOf, type ReceiverPolicy } from './receiver-policy.js';

/** What came of it: the status of an answer, whatever it is, or why there is none. */
export type PostOutcome =
  | { readonly status: number }
  | {
      readonly failure: Exclude<DeliveryFailure, 'redirected' | 'not_accepted' | 'gone' | 'webhook_disabled'>;
    };

export interface PostOptions {
  readonly timeoutMs: number;
  /** Instead of the system's. */
  readonly nameServers?: readonly string[];
}

/** So much of an answer is read, for the receiver's sake: nobody looks at it. */
const MOST_ANSWER_BYTES = 4_096;

const NAME_QUERY = { timeout: 2_000, tries: 2 } as const;

/** Sends to addresses that others chose. A name is resolved once, and the address that was judged is the one called. */
export class GuardedPost {
  constructor(
    private readonly policy: ReceiverPolicy,
    private readonly options: PostOptions,
  ) {}

  /** Redirections are answers like others: they are not followed. */
  async send(url: URL, headers: Readonly<Record<string, string>>, body: string): Promise<PostOutcome> {
    const signal = AbortSignal.timeout(this.options.timeoutMs);
    try {
      const found = await this.resolve(url, signal);
      if (signal.aborted) return { failure: 'timed_out' };
      if (found.length === 0) return { failure: 'name_unresolved' };
      const permitted = found.filter((address) => this.policy.permits(url, address));
      if (permitted.length === 0) return { failure: 'address_refused' };
      return { status: await post(url, permitted, headers, body, signal) };
    } catch (error) {
      return { failure: signal.aborted ? 'timed_out' : failureOf(error) };
    }
  }

  private async resolve(url: URL, signal: AbortSignal): Promise<readonly string[]> {
    const host = hostOf(url);
    if (isIP(host) !== 0) return [host];
    if (this.policy.isListed(url)) {
      return (await lookup(host, { all: true }).catch(() => [])).map(({ address }) => address);
    }
    // Not the system's look-up: it takes one of the process's four threads for as long as a stranger's server likes.
    const resolver = new Resolver(NAME_QUERY);
    if (this.options.nameServers !== undefined) resolver.setServers(this.options.nameServers);
    const cancel = (): void => resolver.cancel();
    signal.addEventListener('abort', cancel);
    const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    signal.removeEventListener('abort', cancel);
    return found.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  }
}

function post(
  url: URL,
  addresses: readonly string[],
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const { request: open } = url.protocol === 'https:' ? https : http;
    // A connection of its own: one that is kept might have been opened to an address judged under another list.
    const request = open(url, { method: 'POST', agent: false, headers, signal, lookup: always(addresses) });
    request.on('response', (answer) => {
      // The status decides; what comes after it, or breaks, changes nothing.
      resolve(answer.statusCode ?? 0);
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > MOST_ANSWER_BYTES) answer.destroy();
      });
      answer.on('error', () => undefined);
    });
    request.on('error', reject);
    request.on('close', () => reject(new Error('closed without an answer')));
    request.end(body);
  });
}

/** DNS rebinding: a second look-up might lead elsewhere than the one that was judged, so there is none. */
function always(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, { all }, callback) => {
    const [first] = found;
    if (all === true) callback(null, found);
    else callback(null, first?.address ?? '', first?.family);
  };
}

/** X.509's and TLS's words for a certificate that does not hold. */
const CERTIFICATE = /CERT|SIGNATURE|ISSUER|CRL|HOSTNAME_MISMATCH|ERR_TLS/;

function failureOf(error: unknown): 'connection_failed' | 'certificate_refused' {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return CERTIFICATE.test(code) ? 'certificate_refused' : 'connection_failed';
}
