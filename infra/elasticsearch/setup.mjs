// `setup.mjs elasticsearch`: retention, streams, users. `setup.mjs kibana`: data views and dashboards. Run again it
// changes nothing, but for a template, which counts from the next daily index. `setup.mjs password`: elastic gets the first of
// the passwords in its file, which holds the one before as well.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const ELASTICSEARCH = 'https://elasticsearch:9200';
const KIBANA = 'https://kibana:5601';
const STREAMS = ['facial-api-app', 'facial-api-nginx', 'facial-api-security'];

const secret = (name) => readFileSync(`/run/secrets/${name}`, 'utf8').trim();
const [password, passwordBefore] = secret('elastic_password').split('\n');
const authorizedBy = (word) => `Basic ${Buffer.from(`elastic:${word}`).toString('base64')}`;
const authorization = authorizedBy(password);

/** Says what was asked and the kind of the refusal: bodies of requests hold passwords. */
async function call(method, url, body, headers = {}) {
  const options = {
    method,
    headers: { authorization, ...headers },
    body,
    signal: AbortSignal.timeout(60_000),
  };
  const answer = await fetch(url, options);
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text);
  const { error } = JSON.parse(text.startsWith('{') ? text : '{}');
  throw new Error(`${method} ${url}: ${answer.status} ${error?.type ?? error ?? ''}`);
}

const put = (path, body) =>
  call('PUT', `${ELASTICSEARCH}/${path}`, JSON.stringify(body), { 'content-type': 'application/json' });

const post = (path, body) =>
  call('POST', `${ELASTICSEARCH}/${path}`, JSON.stringify(body), { 'content-type': 'application/json' });

/** Each file of a folder beside this one, as its name and what is in it. */
const files = (folder) =>
  readdirSync(join(import.meta.dirname, folder)).map((file) => [
    basename(file, '.json'),
    JSON.parse(readFileSync(join(import.meta.dirname, folder, file), 'utf8')),
  ]);

async function elasticsearch() {
  for (const [name, policy] of files('policies')) await put(`_ilm/policy/${name}`, policy);
  for (const [name, template] of files('templates')) await put(`_index_template/${name}`, template);
  const { data_streams: present } = await call('GET', `${ELASTICSEARCH}/_data_stream/facial-api-*`);
  for (const stream of STREAMS) {
    if (!present.some(({ name }) => name === stream))
      await call('PUT', `${ELASTICSEARCH}/_data_stream/${stream}`);
  }
  // Who may add lines and neither read, change nor delete one.
  await put('_security/role/velum_log_writer', {
    cluster: ['monitor'],
    indices: [{ names: STREAMS, privileges: ['create_doc'] }],
  });
  await put('_security/user/fluentd', { password: secret('fluentd_password'), roles: ['velum_log_writer'] });
  // Of Kibana's own: sees everything in it and changes nothing.
  await put('_security/user/operator', { password: secret('kibana_operator_password'), roles: ['viewer'] });
  await post('_security/user/kibana_system/_password', { password: secret('kibana_password') });
}

async function kibana() {
  const folder = join(import.meta.dirname, '../kibana');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ndjson'))) {
    const form = new FormData();
    form.append('file', new Blob([readFileSync(join(folder, file))]), file);
    const { success, errors } = await call(
      'POST',
      `${KIBANA}/api/saved_objects/_import?overwrite=true`,
      form,
      {
        'kbn-xsrf': 'velum',
      },
    );
    if (success !== true)
      throw new Error(`${file}: ${errors.map(({ id, error }) => `${id} ${error.type}`).join(', ')}`);
  }
}

async function changePassword() {
  const taken = await call('GET', `${ELASTICSEARCH}/_security/_authenticate`).catch(() => undefined);
  if (taken !== undefined) return;
  const headers = { authorization: authorizedBy(passwordBefore), 'content-type': 'application/json' };
  await call(
    'POST',
    `${ELASTICSEARCH}/_security/user/elastic/_password`,
    JSON.stringify({ password }),
    headers,
  );
}

const targets = { elasticsearch, kibana, password: changePassword };
try {
  await targets[process.argv[2]]();
} catch (error) {
  console.error(error.cause?.code === undefined ? error.message : `${error.message}: ${error.cause.code}`);
  process.exitCode = 1;
}
