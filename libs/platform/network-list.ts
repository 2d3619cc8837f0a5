import { BlockList, isIP } from 'node:net';

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** Addresses, networks in CIDR notation and host names. */
export class NetworkList {
  // Apart, because node:net matches an IPv4 address against IPv6 networks too: ::/0 would let all of IPv4 in.
  private readonly networks = { ipv4: new BlockList(), ipv6: new BlockList() };
  private readonly names = new Set<string>();

  /** Undefined if an entry is none of the three. */
  static parse(entries: readonly string[]): NetworkList | undefined {
    const list = new NetworkList();
    return entries.every((entry) => list.add(entry.toLowerCase())) ? list : undefined;
  }

  hasAddress(address: string): boolean {
    const family = familyOf(address);
    return family !== undefined && this.networks[family].check(address, family);
  }

  hasName(name: string): boolean {
    return this.names.has(name.toLowerCase());
  }

  private add(entry: string): boolean {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = familyOf(address);
    if (family === undefined) {
      // What looks like an address and is none would be a rule that never matches.
      if (!HOST_NAME.test(entry) || /^[\d.]+$/.test(entry)) return false;
      this.names.add(entry);
      return true;
    }
    const longest = family === 'ipv4' ? 32 : 128;
    const bits = prefix === undefined ? longest : Number(prefix);
    if (rest.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) || bits > longest)
      return false;
    this.networks[family].addSubnet(address, bits, family);
    return true;
  }
}

/** An address with a zone (fe80::1%eth0) is none: what it leads to depends on the machine. */
export function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  if (address.includes('%')) return undefined;
  return ({ 4: 'ipv4', 6: 'ipv6' } as const)[isIP(address)];
}
