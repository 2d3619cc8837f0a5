import { InvalidClient, InvalidGrantRequest } from '#auth/auth.errors';
import type { PresentedCredentials } from '#auth/client-authenticator';
import type { Request } from 'express';

/**
 * RFC 6749 section 2.3.1: HTTP Basic with form-encoded id and secret, or both in the body, but not both ways at once.
 */
export function presentedCredentials(
  request: Request,
  form: Readonly<Record<string, string>>,
): PresentedCredentials {
  const header = request.headers.authorization;
  const { client_id: clientId, client_secret: clientSecret } = form;
  if (header === undefined) {
    if (clientId === undefined || clientSecret === undefined) throw new InvalidClient();
    return { clientId, clientSecret };
  }
  if (clientSecret !== undefined) throw new InvalidGrantRequest();
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(header) ?? [];
  const pair = Buffer.from(encoded ?? '', 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) throw new InvalidClient();
  return { clientId: formDecode(pair.slice(0, colon)), clientSecret: formDecode(pair.slice(colon + 1)) };
}

/** The members of a form body; RFC 6749 section 3.2: none may be given twice. */
export function formOf(body: unknown): Readonly<Record<string, string>> {
  if (typeof body !== 'object' || body === null) throw new InvalidGrantRequest();
  const form: Record<string, string> = {};
  for (const [name, value] of Object.entries(body)) {
    if (typeof value !== 'string') throw new InvalidGrantRequest();
    form[name] = value;
  }
  return form;
}

function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new InvalidClient();
  }
}
