import type { RetentionPolicy } from '#retention/find-retention-policy';

/** The policy as a page for people. */
export function retentionPolicyPage(policy: RetentionPolicy): string {
  const { name, law, revision, inForceSince, rules, confirm } = policy;
  const rows = rules.map(
    ({ means, purpose, duration, source }) =>
      `<tr><td>${escape(means)}</td><td>${escape(purpose ?? 'each other')}</td><td>${duration === null ? 'none is fixed' : escape(inWords(duration))}</td><td>${escape(source)}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Retention of biometric data: ${escape(name)}</title>
<h1>Retention and destruction of biometric data</h1>
<p>${escape(name)}. ${escape(law)}. Revision ${revision}, in force since ${inForceSince.toISOString().slice(0, 10)}.</p>
<table>
<thead><tr><th scope="col">Rule</th><th scope="col">Purpose</th><th scope="col">Time</th><th scope="col">Source</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
<p>Data that has a date is not searched in the meantime. Data on legal hold is destroyed when the hold ends.</p>
<p>${escape(confirm)}</p>
</html>
`;
}

const UNITS: Readonly<Record<string, string>> = {
  Y: 'year',
  M: 'month',
  W: 'week',
  D: 'day',
  H: 'hour',
  m: 'minute',
};

/** P1Y: "1 year"; PT48H: "48 hours". */
function inWords(duration: string): string {
  const [date = '', time = ''] = duration.slice(1).split('T');
  const parts = `${date}${time.replaceAll('M', 'm')}`.matchAll(/(\d+)([YMWDHm])/g);
  const words = [...parts].map(
    ([, count, unit = '']) => `${count} ${UNITS[unit]}${count === '1' ? '' : 's'}`,
  );
  return /[1-9]/.test(duration) ? words.join(' ') : 'at once';
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
