// Stands in for Elasticsearch: TLS, passwords, and the calls of infra/elasticsearch/setup.mjs and of Fluentd's plugin.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { BadRequest, only, requirePolicy, requireRole, requireTemplate, requireUser } from './shapes.mjs';

const STATE = 'data/state.json';
const password = process.env.ELASTIC_PASSWORD;
if (!password) throw new Error('no password');
readFileSync('config/elasticsearch.yml');

const state = existsSync(STATE)
  ? JSON.parse(readFileSync(STATE, 'utf8'))
  : { policies: {}, templates: {}, streams: {}, roles: {}, users: {}, system: null };
const keep = () => writeFileSync(STATE, JSON.stringify(state));

// As the real one keeps them: none is in the clear on the disk.
const hashed = (secret) => createHash('sha256').update(secret).digest('hex');

// That of the environment is for the first start alone.
state.elastic ??= hashed(password);

const DONE = { acknowledged: true };

const CALLS = [
  ['GET', /^\/_cluster\/health$/, () => ({ status: 'green', timed_out: false })],
  ['GET', /^\/_security\/_authenticate$/, (_, __, user) => ({ username: user })],
  [
    'PUT',
    /^\/_ilm\/policy\/([\w-]+)$/,
    ([name], body) => (requirePolicy(body), (state.policies[name] = body), DONE),
  ],
  [
    'PUT',
    /^\/_index_template\/([\w-]+)$/,
    ([name], body) => (
      requireTemplate(body, Object.keys(state.policies)),
      (state.templates[name] = body),
      DONE
    ),
  ],
  [
    'GET',
    /^\/_data_stream\/facial-api-\*$/,
    () => ({ data_streams: Object.keys(state.streams).map((name) => ({ name })) }),
  ],
  [
    'PUT',
    /^\/_data_stream\/([\w-]+)$/,
    ([name]) => {
      if (name in state.streams) throw new BadRequest('data_stream already exists');
      const found = Object.values(state.templates).some(({ index_patterns: names }) => names.includes(name));
      if (!found) throw new BadRequest(`no matching index template found for data stream [${name}]`);
      state.streams[name] = [];
      return DONE;
    },
  ],
  [
    'PUT',
    /^\/_security\/role\/(\w+)$/,
    ([name], body) => (requireRole(body), (state.roles[name] = body), { role: {} }),
  ],
  [
    'PUT',
    /^\/_security\/user\/(\w+)$/,
    ([name], body) => (
      requireUser(body),
      (state.users[name] = { ...body, password: hashed(body.password) }),
      { created: true }
    ),
  ],
  [
    'POST',
    /^\/_security\/user\/kibana_system\/_password$/,
    (_, body) => (only(body, ['password'], 'body'), (state.system = hashed(body.password)), {}),
  ],
  [
    'POST',
    /^\/_security\/user\/elastic\/_password$/,
    (_, body) => (only(body, ['password'], 'body'), (state.elastic = hashed(body.password)), {}),
  ],
  // For whoever looks at what has become of it.
  [
    'GET',
    /^\/_stand_in$/,
    () => ({ ...state, elastic: undefined, users: Object.keys(state.users), system: state.system !== null }),
  ],
];

const MAY = { elastic: /./, kibana_system: /^\/_security\/_authenticate$/ };

function userOf({ headers }) {
  const [scheme, value = ''] = (headers.authorization ?? '').split(' ');
  if (scheme !== 'Basic') return undefined;
  const [name, given = ''] = Buffer.from(value, 'base64').toString().split(':');
  const known = { elastic: state.elastic, kibana_system: state.system, ...mapped(state.users) };
  return known[name] === hashed(given) ? name : undefined;
}

const mapped = (users) =>
  Object.fromEntries(Object.entries(users).map(([name, user]) => [name, user.password]));

async function respond(request, response) {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const user = userOf(request);
  const { pathname } = new URL(request.url, 'https://elasticsearch');
  const sent = await text(request);
  if (user === undefined) return answer(401, { error: { type: 'security_exception' } });
  if (!MAY[user]?.test(pathname)) return answer(403, { error: { type: 'security_exception' } });
  const call = CALLS.find(([method, path]) => method === request.method && path.test(pathname));
  if (call === undefined) return answer(404, { error: { type: 'no_handler_found' } });
  try {
    const result = call[2](call[1].exec(pathname).slice(1), sent === '' ? undefined : JSON.parse(sent), user);
    keep();
    return answer(200, result);
  } catch (error) {
    console.log(error.message);
    return answer(400, { error: { type: 'x_content_parse_exception', reason: error.message } });
  }
}

createServer(
  { key: readFileSync('config/certs/server.key'), cert: readFileSync('config/certs/server.crt') },
  (request, response) => void respond(request, response),
).listen(9200, '0.0.0.0');

process.on('SIGTERM', () => process.exit(0));
