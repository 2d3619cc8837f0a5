import { Command, Option } from 'commander';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ApiClient, type Credentials } from './api-client.js';
import { CannotEnrol } from './cannot-enrol.js';
import { Display } from './display.js';
import { FolderEnrolment } from './enrol-folder.js';
import { Refused, Unreachable } from './retry.js';
import { exitCodeOf, jsonSummary, textSummary } from './summary.js';

interface Options {
  readonly gallery?: string;
  readonly notice?: string;
  readonly resume?: true;
  readonly anew?: true;
  readonly cancel?: true;
  readonly results?: string;
  readonly json?: true;
  readonly quiet?: true;
  readonly url: string;
  readonly plainHttp?: true;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
}

const EXIT_INTERRUPTED = 130;

const SCOPES_NEEDED =
  'Needed are galleries:read, faces:enrol, jobs:read and jobs:write; for --notice consent:read and consent:write too.';

export const command = new Command('enrol')
  .description('enrol a folder of photographs as a bulk job, and tell who was refused and why')
  .argument(
    '<dir>',
    'one folder a person, named as your reference of that person, with 1 to 5 photographs; or a folder with a manifest.csv',
  )
  .option('--gallery <id-or-name>', 'the gallery of this client to enrol in')
  .option(
    '--notice <id>',
    'register whoever is not known yet, and record their consent to this notice; by this you vouch that each of them agreed to it',
  )
  .option('--resume', 'go on after an interruption: an upload is sent again, a job that runs is followed')
  .option('--cancel', 'cancel the job of this folder')
  .option('--anew', 'forget an earlier upload of this folder that was cut off')
  .option('--results <file>', 'write what became of each person, as NDJSON with the file names')
  .option('--json', 'print one JSON object at the end')
  .option('--quiet', 'no progress')
  .addOption(new Option('--url <url>', 'of the API').env('VELUM_URL').default('http://127.0.0.1:3000'))
  .option('--plain-http', 'send secrets and photographs unencrypted to another machine')
  .addOption(new Option('--client-id <id>', 'of an OAuth client').env('VELUM_CLIENT_ID'))
  .addOption(
    new Option(
      '--client-secret-file <file>',
      'with its secret, - for standard input; or VELUM_CLIENT_SECRET',
    ).env('VELUM_CLIENT_SECRET_FILE'),
  )
  .addHelpText(
    'after',
    `
manifest.csv has the columns subjectId or reference, file, and if you like consentId; several photographs of one
template are parted by |. Exit code: 0 all enrolled, 2 some refused or failed, 1 it could not be done.`,
  )
  .action(async (dir: string, options: Options) => {
    const display = new Display(options.quiet === true);
    const api = new ApiClient(safeUrl(options), credentialsOf(options), (why, seconds) =>
      display.say(`${why} Trying again in ${seconds} s.`),
    );
    const { resume = false, cancel = false, anew = false, results, gallery, notice } = options;
    const enrolment = new FolderEnrolment(api, display, {
      folder: resolve(dir),
      resume,
      cancel,
      anew,
      ...(results === undefined ? {} : { results }),
      ...(gallery === undefined ? {} : { gallery }),
      ...(notice === undefined ? {} : { notice }),
    });
    process.on('SIGINT', () => {
      display.finish();
      console.error(
        enrolment.jobId === undefined
          ? `Stopped before the upload was acknowledged. enrol ${dir} --resume goes on.`
          : `Job ${enrolment.jobId} runs on without this command. enrol ${dir} --resume follows it, enrol ${dir} --cancel cancels it.`,
      );
      process.exit(EXIT_INTERRUPTED);
    });
    try {
      const report = await enrolment.run();
      display.finish();
      console.log(options.json === true ? JSON.stringify(jsonSummary(report)) : textSummary(report));
      process.exitCode = exitCodeOf(report);
    } catch (error) {
      display.finish();
      throw inWords(error, enrolment.jobId);
    }
  });

/** Photographs and the secret pass over this connection. */
function safeUrl({ url, plainHttp }: Options): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new CannotEnrol('--url must be the http or https address of an API.');
  }
  const here = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(parsed.hostname);
  if (parsed.protocol === 'http:' && !here && plainHttp !== true) {
    throw new CannotEnrol(
      '--url must be https: on another machine (--plain-http sends it unencrypted all the same).',
    );
  }
  return parsed.href.replace(/\/+$/, '');
}

/** Never from an argument: other users of the machine can read those. */
function credentialsOf({ clientId, clientSecretFile }: Options): Credentials {
  const clientSecret =
    clientSecretFile === undefined
      ? process.env['VELUM_CLIENT_SECRET']
      : readFileSync(clientSecretFile === '-' ? 0 : clientSecretFile, 'utf8').trim();
  if (clientId === undefined || clientSecret === undefined || clientSecret === '') {
    throw new CannotEnrol(
      'Say as which OAuth client: --client-id and --client-secret-file, or VELUM_CLIENT_ID and VELUM_CLIENT_SECRET. clients create makes one; with npm run demo running, its own is used.',
    );
  }
  return { clientId, clientSecret };
}

function inWords(error: unknown, jobId: string | undefined): unknown {
  if (error instanceof Unreachable) {
    const next = jobId === undefined ? '' : ` Job ${jobId} runs on.`;
    return new CannotEnrol(`${error.message}${next} The same command with --resume goes on.`);
  }
  if (error instanceof Refused) {
    const needs = error.code === 'insufficient_scope' ? ` ${SCOPES_NEEDED}` : '';
    return new CannotEnrol(`${error.code}: ${error.message}${needs}`);
  }
  return error;
}
