import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createCredentials } from '../harness/test-client.js';

const CHROMIUM = '/usr/bin/chromium';
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// On a machine without Debian's chromium this is skipped; .ci/run installs it and insists.
const missing = !existsSync(CHROMIUM) && process.env['CI'] === undefined;

describe.skipIf(missing)('the explorer at /docs', () => {
  let stack: Stack;
  let browser: Browser;

  beforeAll(async () => {
    stack = await Stack.start();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  });

  afterAll(async () => {
    await browser.close();
    await stack.stop();
  });

  test('loads without a console error; one can authorise in it, create a gallery and start a job as proposed', async () => {
    const credentials = createCredentials(stack);
    const page = await browser.newPage({ viewport: { width: 1280, height: 1400 } });
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${stack.url}/docs`);
    await page.getByRole('button', { name: 'Authorize' }).first().click();
    const dialog = page.locator('.auth-container', { hasText: 'clientCredentials' });
    await dialog.locator('#client_id_clientCredentials').fill(credentials.clientId);
    await dialog.locator('#client_secret_clientCredentials').fill(credentials.clientSecret);
    await dialog.getByText('select all', { exact: true }).click();
    await dialog.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click();
    await dialog.getByRole('button', { name: 'Remove authorization' }).waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).last().click();

    const operation = page.locator('.opblock', { hasText: 'Create a gallery' });
    await operation.locator('.opblock-summary-control').click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const answer = operation.locator('.live-responses-table .response .response-col_status').first();
    await expect.poll(() => answer.textContent(), { timeout: 15_000 }).toContain('201');

    // A photograph is a file in the explorer's form, not base64.
    const verify = page.locator('.opblock', { hasText: 'Verify a subject (1:1)' });
    await verify.locator('.opblock-summary-control').click();
    await verify.getByLabel('Request content type').selectOption('multipart/form-data');
    await verify.locator('input[type=file]').waitFor();

    // A job as the explorer proposes it: nothing is filled in but where it goes.
    const { id } = JSON.parse(
      (await operation
        .locator('.live-responses-table .response .highlight-code code')
        .first()
        .textContent()) ?? '',
    );
    const job = page.locator('.opblock', { hasText: 'Start a bulk job' });
    await job.locator('.opblock-summary-control').click();
    await job.getByPlaceholder('galleryId').fill(id);
    await expect.poll(() => job.locator('textarea').inputValue()).toContain('"embedding":[');
    await job.getByRole('button', { name: 'Execute' }).click();
    const started = job.locator('.live-responses-table .response .response-col_status').first();
    await expect.poll(() => started.textContent(), { timeout: 15_000 }).toContain('201');
    await job.getByLabel('Request content type').selectOption('application/zip');
    await job.locator('input[type=file]').waitFor();

    const screenshot = process.env['EXPLORER_SCREENSHOT'];
    if (screenshot !== undefined) await page.screenshot({ path: screenshot });
    expect(complaints).toEqual([]);
    await page.close();
  });
});
