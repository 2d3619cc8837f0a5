import type { NetworkList } from '#platform/network-list';
import { isIP } from 'node:net';
import { WebhookAddressRefused, WebhookUrlRefused } from '../webhooks.errors.js';
import { isPublicAddress } from './public-address.js';

/** Which receivers are called: the public internet over TLS, and what the operator allows. */
export class ReceiverPolicy {
  constructor(private readonly allowed: NetworkList) {}

  /**
   * Reads a receiver's URL; throws WebhookUrlRefused or WebhookAddressRefused. Where a name leads is known only when it is
   * called: the caller MUST ask `permits` then.
   */
  parse(text: string): URL {
    // The parser turns every spelling of an address (0x7f.1, 2130706433, full-width digits) into the usual one.
    if (!URL.canParse(text)) throw new WebhookUrlRefused();
    const url = new URL(text);
    const known = url.protocol === 'https:' || url.protocol === 'http:';
    if (!known || url.username !== '' || url.password !== '' || url.hash !== '')
      throw new WebhookUrlRefused();
    const host = hostOf(url);
    if (isIP(host) !== 0 && !this.permits(url, host)) throw new WebhookAddressRefused();
    if (isIP(host) === 0 && url.protocol === 'http:' && !this.isListed(url)) throw new WebhookUrlRefused();
    return url;
  }

  /** Whether the operator named this very host: it is then called wherever its name leads. */
  isListed(url: URL): boolean {
    return this.allowed.hasName(hostOf(url));
  }

  /** Whether a URL may be called at an address that its host has. */
  permits(url: URL, address: string): boolean {
    if (this.isListed(url) || this.allowed.hasAddress(address)) return true;
    return url.protocol === 'https:' && isPublicAddress(address);
  }
}

/** Without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}
