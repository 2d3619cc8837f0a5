import { expect, test } from 'vitest';
import { NetworkList } from './network-list.js';

test('a list holds addresses, networks and names, whatever their case', () => {
  const list = NetworkList.parse(['127.0.0.1', '10.1.0.0/16', 'FD00::/8', 'Hooks.Internal', 'receiver']);
  for (const held of ['127.0.0.1', '10.1.255.255', 'fd12::1']) expect(list?.hasAddress(held)).toBe(true);
  for (const other of ['127.0.0.2', '10.2.0.0', 'fe00::1', 'fd00::1%eth0', '']) {
    expect([other, list?.hasAddress(other)]).toEqual([other, false]);
  }
  expect(['hooks.internal', 'RECEIVER', 'internal'].map((name) => list?.hasName(name))).toEqual([
    true,
    true,
    false,
  ]);
});

test.each([
  '10.0.0.0/33',
  'fd00::/129',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '127.1',
  '2130706433',
  '10.0.0.0/8x',
  'fe80::1%eth0',
  'https://hooks.internal',
  'hooks.internal:80',
  '*.internal',
  '',
])('%s is no entry of a list', (entry) => {
  expect(NetworkList.parse([entry])).toBeUndefined();
});
