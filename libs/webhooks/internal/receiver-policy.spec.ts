import { NetworkList } from '#platform/network-list';
import { expect, test } from 'vitest';
import { WebhookAddressRefused, WebhookUrlRefused } from '../webhooks.errors.js';
import { ReceiverPolicy } from './receiver-policy.js';

function policy(...entries: string[]): ReceiverPolicy {
  const allowed = NetworkList.parse(entries);
  if (allowed === undefined) throw new Error('the list is not valid');
  return new ReceiverPolicy(allowed);
}

test.each([
  'https://127.0.0.1/',
  'https://127.1/',
  'https://0x7f.0.0.1/',
  'https://0177.0.0.1/',
  'https://2130706433/',
  'https://127.0.0.1./',
  'https://127。0。0。1/',
  'https://①②⑦.0.0.1/',
  'https://0/',
  'https://%31%32%37.0.0.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://[::1]/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[64:ff9b::10.0.0.1]/',
  'https://[fd00:ec2::254]/',
  'http://8.8.8.8/',
])('%s is refused at once: its address is not public', (url) => {
  expect(() => policy().parse(url)).toThrow(WebhookAddressRefused);
});

test.each([
  'http://hooks.example/',
  'https://user@hooks.example/',
  'https://user:password@hooks.example/',
  'https://hooks.example/#part',
  'https://[fe80::1%25eth0]/',
  'ftp://hooks.example/',
  'file:///etc/passwd',
  'gopher://hooks.example/',
  'hooks.example/path',
  '//hooks.example/',
  'https://',
  '',
])('%s is no receiver', (url) => {
  expect(() => policy().parse(url)).toThrow(WebhookUrlRefused);
});

test('a public address and a name over https are taken, whatever their port, path and query', () => {
  for (const url of ['https://hooks.example/a?b=c', 'https://8.8.8.8:8443/', 'https://[2606:4700::1111]/']) {
    expect(policy().parse(url).href).toBe(url);
  }
});

test('what the operator allows is taken, http: too, and its neighbours are not', () => {
  const allowing = policy('127.0.0.1/32', '10.1.0.0/16', 'fd00:1::/32', 'Hooks.internal');
  for (const url of [
    'http://127.0.0.1:8080/',
    'https://10.1.255.1/',
    'http://[fd00:1::5]/',
    'http://hooks.internal/x',
    'http://HOOKS.internal/x',
  ]) {
    expect(allowing.parse(url)).toBeInstanceOf(URL);
  }
  for (const url of [
    'http://127.0.0.2/',
    'https://10.2.0.1/',
    'https://[fd00:2::5]/',
    'https://[::ffff:10.1.0.1]/',
  ]) {
    expect(() => allowing.parse(url)).toThrow(WebhookAddressRefused);
  }
  expect(() => allowing.parse('http://sub.hooks.internal/')).toThrow(WebhookUrlRefused);
});

test('to allow all of IPv6 allows nothing of IPv4', () => {
  expect(policy('::/0').permits(new URL('https://hooks.example'), 'fd00::1')).toBe(true);
  expect(policy('::/0').permits(new URL('https://hooks.example'), '127.0.0.1')).toBe(false);
});

test('a name is judged by where it leads', () => {
  const url = new URL('https://hooks.example/');
  expect(policy().permits(url, '8.8.8.8')).toBe(true);
  expect(policy().permits(url, '10.1.0.1')).toBe(false);
  expect(policy('10.1.0.0/16').permits(url, '10.1.0.1')).toBe(true);
  expect(policy('hooks.example').permits(url, '10.1.0.1')).toBe(true);
});
