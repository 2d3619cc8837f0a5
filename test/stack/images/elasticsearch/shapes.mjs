// What the calls of setup.mjs may look like. Elasticsearch refuses a member that it does not know, and so does this.
export class BadRequest extends Error {}

export function only(value, members, where) {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadRequest(`${where}: not an object`);
  const odd = Object.keys(value).find((member) => !members.includes(member));
  if (odd !== undefined) throw new BadRequest(`${where}: unknown field [${odd}]`);
}

const ACTIONS = {
  hot: [
    'rollover',
    'set_priority',
    'forcemerge',
    'readonly',
    'shrink',
    'unfollow',
    'downsample',
    'searchable_snapshot',
  ],
  warm: ['set_priority', 'forcemerge', 'readonly', 'shrink', 'allocate', 'migrate', 'unfollow', 'downsample'],
  delete: ['delete', 'wait_for_snapshot'],
};

export function requirePolicy(body) {
  only(body, ['policy'], 'body');
  only(body.policy, ['phases', '_meta'], 'policy');
  only(body.policy.phases, Object.keys(ACTIONS), 'phases');
  for (const [name, phase] of Object.entries(body.policy.phases)) {
    only(phase, ['min_age', 'actions'], name);
    if (!/^\d+(ms|s|m|h|d)$/.test(phase.min_age)) throw new BadRequest(`${name}: no min_age`);
    only(phase.actions, ACTIONS[name], name);
  }
}

const TYPES = ['keyword', 'match_only_text', 'text', 'date', 'short', 'integer', 'long', 'float', 'boolean'];

export function requireTemplate(body, policies) {
  only(body, ['index_patterns', 'data_stream', 'priority', 'template', '_meta'], 'body');
  only(body.template, ['settings', 'mappings'], 'template');
  only(body.template.mappings, ['dynamic', 'properties'], 'mappings');
  for (const [name, field] of Object.entries(body.template.mappings.properties)) {
    only(field, ['type', 'ignore_above', 'index', 'doc_values'], name);
    if (!TYPES.includes(field.type)) throw new BadRequest(`${name}: no handler for type [${field.type}]`);
  }
  if (!policies.includes(body.template.settings.index.lifecycle.name))
    throw new BadRequest('there is no such policy');
}

export function requireRole(body) {
  only(body, ['cluster', 'indices'], 'role');
  for (const part of body.indices) only(part, ['names', 'privileges'], 'indices');
}

export function requireUser(body) {
  only(body, ['password', 'roles'], 'user');
  if (body.password.length < 6) throw new BadRequest('passwords must be at least [6] characters long');
}
