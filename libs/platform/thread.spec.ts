import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);

/** A process that starts a thread, which answers after a while, and has nothing else to do. */
function program(then: string): string {
  const thread = new URL('thread.js', import.meta.url).href;
  const script = `data:text/javascript,${encodeURIComponent(`
    import { serveCalls } from '${thread}';
    serveCalls({ answer: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { value: 42 };
    } });`)}`;
  return `
    import { Thread } from '${thread}';
    const thread = new Thread(new URL(${JSON.stringify(script)}), null);
    ${then}`;
}

describe('a process whose only work is that of a thread', () => {
  test('waits for the answer, and ends after it', async () => {
    const { stdout } = await run(process.execPath, [
      '--input-type=module',
      '-e',
      program(`console.log(await thread.call('answer', null));`),
    ]);
    expect(stdout).toBe('42\n');
  });

  test('answers as often as it is asked, and all at once', async () => {
    const { stdout } = await run(process.execPath, [
      '--input-type=module',
      '-e',
      program(`
        const first = await thread.call('answer', null);
        const others = await Promise.all([1, 2, 3].map(() => thread.call('answer', null)));
        console.log(first, ...others);`),
    ]);
    expect(stdout).toBe('42 42 42 42\n');
  });
});
