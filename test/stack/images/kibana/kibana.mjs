// Stands in for Kibana: available once Elasticsearch lets it in, and takes saved objects whose references resolve.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as call } from 'node:https';
import { Readable } from 'node:stream';

const { VELUM_KIBANA_PASSWORD: password, VELUM_KIBANA_KEY: key } = process.env;
if (!password || (key ?? '').length < 32) throw new Error('no password, or a key of less than 32 characters');
readFileSync('config/kibana.yml');
writeFileSync('data/uuid', 'stand-in');

const authorization = (user, secret) => `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
const elasticsearch = (headers) =>
  new Promise((resolve) => {
    const ca = readFileSync('/run/secrets/internal_ca');
    call('https://elasticsearch:9200/_security/_authenticate', { ca, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on('error', () => resolve(503))
      .end();
  });

const objects = {};

async function take(request) {
  const form = await new Response(Readable.toWeb(request), { headers: request.headers }).formData();
  const lines = (await form.get('file').text()).split('\n').filter(Boolean);
  const given = lines.map((line) => JSON.parse(line));
  for (const object of given) objects[`${object.type}/${object.id}`] = object;
  const errors = given
    .filter(({ references }) => references.some(({ type, id }) => !(`${type}/${id}` in objects)))
    .map(({ type, id }) => ({ type, id, error: { type: 'missing_references' } }));
  return { success: errors.length === 0, successCount: given.length - errors.length, errors };
}

async function respond(request, response) {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const { pathname } = new URL(request.url, 'https://kibana');
  if (pathname === '/api/status') {
    const inside = (await elasticsearch({ authorization: authorization('kibana_system', password) })) === 200;
    return answer(inside ? 200 : 503, {
      status: { overall: { level: inside ? 'available' : 'unavailable' } },
    });
  }
  if ((await elasticsearch({ authorization: request.headers.authorization ?? '' })) !== 200)
    return answer(401, {});
  if (pathname === '/stand_in') return answer(200, Object.keys(objects));
  if (pathname !== '/api/saved_objects/_import') return answer(404, {});
  if (request.headers['kbn-xsrf'] === undefined) return answer(400, { error: 'Bad Request' });
  return answer(200, await take(request));
}

createServer(
  { key: readFileSync('/etc/velum/ssl/server.key'), cert: readFileSync('/etc/velum/ssl/server.crt') },
  (request, response) => void respond(request, response),
).listen(5601, '0.0.0.0');

process.on('SIGTERM', () => process.exit(0));
