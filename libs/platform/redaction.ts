/** The only members a log line may have; anything else that code attaches is dropped, whatever it holds. */
export const LOGGED_MEMBERS = [
  'timestamp',
  'level',
  'message',
  'context',
  'requestId',
  'clientId',
  'ipHash',
  'method',
  'route',
  'status',
  'durationMs',
  'code',
  'part',
  'errorName',
  'errorCode',
  'stack',
  'url',
  'internalUrl',
  'port',
  'signal',
  'jobId',
  'item',
  'task',
  'messageType',
  'attempt',
  'count',
  'receipts',
  'replayed',
] as const;

const LONGEST_TEXT = 4_000;

// Order matters: the wide patterns (keys, tokens) go first so that a narrower one cannot split them.
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]+-----[\s\S]*?(-----END [A-Z ]+-----|$)/g, '[key]'],
  [/\beyJ[\w-]*\.[\w-]+(\.[\w-]*)*/g, '[token]'],
  [/\b(bearer|basic)\s+[\w.~+/=-]+/gi, '$1 [token]'],
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1[credentials]@'],
  [
    /\b(client_secret|secret|password|token|authorization)(["']?\s*[=:]\s*["']?)[^\s"'&,}]+/gi,
    '$1$2[secret]',
  ],
  [/data:[\w/+.-]+;base64,[\w+/=-]*/gi, '[image]'],
  // Eight or more numbers in a row are a vector, however they are separated.
  [/(?:[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?[\s,;:|[\]]+){7,}[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi, '[numbers]'],
  [/(?<![\w/])[A-Za-z0-9+/_-]{43,}={0,2}(?![\w/])/g, '[bytes]'],
  [/(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/g, '[address]'],
  [
    /(?<![\w:])(?=[0-9a-f:.]*:[0-9a-f:.]*:)(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])/gi,
    '[address]',
  ],
];

/** A text with everything that looks like a key, token, image, vector or address replaced by what it was. */
export function scrub(text: string): string {
  const bounded = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
  return PATTERNS.reduce((scrubbed, [pattern, name]) => scrubbed.replace(pattern, name), bounded);
}

/** Keeps the allowed members of a log entry, scrubbed; objects, arrays and buffers never pass. */
export function redact(entry: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const member of LOGGED_MEMBERS) {
    const value = entry[member];
    if (typeof value === 'number' || typeof value === 'boolean') kept[member] = value;
    else if (typeof value === 'string') kept[member] = shown(member, value);
  }
  return kept;
}

/** The URLs are where this server itself listens; the others of OURS are made by us, from nothing that was sent. */
const OURS = new Set(['url', 'internalUrl', 'timestamp', 'requestId', 'clientId']);

function shown(member: string, value: string): string {
  if (member === 'stack') return frames(value);
  return OURS.has(member) ? value : scrub(value);
}

/** The places only: the first lines of a stack are the error's message, which may quote what was sent. */
function frames(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at [^\n]*:\d+:\d+\)?$/.test(line))
    .join('\n');
}
