import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPublicAddress } from './public-address.js';

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2001:4860:4860::8888',
  '2606:4700::1111',
  '2a00:1450:4001::200e',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  ['the unspecified', '0.0.0.0'],
  ['this network', '0.1.2.3'],
  ['a private', '10.0.0.1'],
  ['a carrier-grade NAT', '100.64.0.1'],
  ["Alibaba's metadata", '100.100.100.200'],
  ['the loopback', '127.0.0.1'],
  ['a loopback', '127.255.255.254'],
  ['the cloud metadata', '169.254.169.254'],
  ['a private', '172.16.0.1'],
  ['a private', '172.31.255.255'],
  ["Oracle's metadata", '192.0.0.192'],
  ['a documentation', '192.0.2.1'],
  ['the 6to4 relay', '192.88.99.1'],
  ['a private', '192.168.1.1'],
  ['a benchmarking', '198.19.255.255'],
  ['a documentation', '198.51.100.7'],
  ['a documentation', '203.0.113.7'],
  ['a multicast', '224.0.0.1'],
  ['a reserved', '240.0.0.1'],
  ['the broadcast', '255.255.255.255'],
  ["Azure's host", '168.63.129.16'],
  ['the unspecified', '::'],
  ['the loopback', '::1'],
  ['an IPv4-compatible', '::7f00:1'],
  ['a mapped loopback', '::ffff:127.0.0.1'],
  ['a mapped loopback in hex', '::ffff:7f00:1'],
  ['a mapped public', '::ffff:8.8.8.8'],
  ['a mapped loopback written out', '0:0:0:0:0:ffff:7f00:0001'],
  ['a translated', '::ffff:0:127.0.0.1'],
  ['a NAT64', '64:ff9b::7f00:1'],
  ['a local NAT64', '64:ff9b:1::a00:1'],
  ['a discard-only', '100::1'],
  ['a Teredo', '2001::1'],
  ['an ORCHID', '2001:20::1'],
  ['a documentation', '2001:db8::1'],
  ['a 6to4 of a private', '2002:a00:1::1'],
  ['a documentation', '3fff::1'],
  ['a segment routing', '5f00::1'],
  ['a unique local', 'fc00::1'],
  ["AWS's metadata", 'fd00:ec2::254'],
  ['a link-local', 'fe80::1'],
  ['a link-local with a zone', 'fe80::1%eth0'],
  ['a public with a zone', '2606:4700::1111%1'],
  ['a site-local', 'fec0::1'],
  ['a multicast', 'ff02::1'],
  ['no', ''],
  ['no', 'localhost'],
  ['an octal', '0177.0.0.1'],
  ['a short', '127.1'],
  ['a bare number for an', '2130706433'],
])('%s address, %s, is not public', (_kind, address) => {
  expect(isPublicAddress(address)).toBe(false);
});

/** The same written down as arithmetic, apart from how it is done. */
function isSpecial(a: number, b: number, c: number): boolean {
  return (
    [0, 10, 127].includes(a) ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && ((b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99) || b === 168)) ||
    (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) ||
    (a === 203 && b === 0 && c === 113)
  );
}

const octet = fc.nat(255);
const near = fc.constantFrom(
  0,
  2,
  10,
  16,
  18,
  31,
  51,
  63,
  64,
  88,
  99,
  100,
  113,
  127,
  168,
  172,
  192,
  198,
  254,
);

test('every IPv4 address is public exactly if no registry says otherwise, and never in an IPv6 form', () => {
  const part = fc.oneof(octet, near);
  fc.assert(
    fc.property(part, part, part, octet, (a, b, c, d) => {
      const address = `${a}.${b}.${c}.${d}`;
      if (address === '168.63.129.16') return;
      expect(isPublicAddress(address)).toBe(!isSpecial(a, b, c));
      const high = ((a << 8) | b).toString(16);
      const low = ((c << 8) | d).toString(16);
      const forms = ['::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::'].map((p) => `${p}${address}`);
      for (const form of [...forms, `2002:${high}:${low}::1`, `2001:0:${high}:${low}::`]) {
        expect([form, isPublicAddress(form)]).toEqual([form, false]);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('an IPv6 address outside 2000::/3 is never public', () => {
  const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (parts) => {
      const address = parts.map((part) => part.toString(16)).join(':');
      if ((parts[0] ?? 0) >> 13 !== 1) expect(isPublicAddress(address)).toBe(false);
    }),
  );
});
