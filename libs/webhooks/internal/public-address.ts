import { familyOf } from '#platform/network-list';
import { BlockList } from 'node:net';

// IANA IPv4 Special-Purpose Address Registry, all that is not globally reachable, and multicast.
const IPV4_SPECIAL = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  // A public address that in Azure is the host of the machine itself, metadata and all.
  '168.63.129.16/32',
];

/** All that IANA has given out as global unicast; mapped (::ffff:0:0/96), NAT64, link-local and private lie outside. */
const IPV6_GLOBAL = '2000::/3';

// Of these: IETF protocols with Teredo and ORCHID, documentation, and 6to4, which leads to an IPv4 address.
const IPV6_SPECIAL = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const ipv4Special = networks('ipv4', IPV4_SPECIAL);
const ipv6Global = networks('ipv6', [IPV6_GLOBAL]);
const ipv6Special = networks('ipv6', IPV6_SPECIAL);

/** Whether an address is one of the public internet; a text that is no address is not. */
export function isPublicAddress(address: string): boolean {
  const family = familyOf(address);
  if (family === undefined) return false;
  if (family === 'ipv4') return !ipv4Special.check(address, family);
  return ipv6Global.check(address, family) && !ipv6Special.check(address, family);
}

function networks(family: 'ipv4' | 'ipv6', cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/');
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}
