import { ZIP } from '#jobs/job';
import type { OpenAPIObject } from '@nestjs/swagger';

/** A ZIP is a file to choose where NDJSON is text: nestjs/swagger gives every content type of a body one schema. */
export function describeArchives(document: OpenAPIObject): OpenAPIObject {
  for (const { post } of Object.values(document.paths)) {
    const body = post?.requestBody;
    if (body === undefined || !('content' in body) || body.content[ZIP] === undefined) continue;
    body.content[ZIP] = { schema: { type: 'string', format: 'binary' } };
  }
  return document;
}
