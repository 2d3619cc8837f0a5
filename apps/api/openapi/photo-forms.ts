import type { OpenAPIObject } from '@nestjs/swagger';

const FORM = 'multipart/form-data';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['post']>;
type Body = Exclude<NonNullable<Operation['requestBody']>, { $ref: string }>;
type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;

/**
 * Describes the forms of calls that take photographs: nestjs/swagger gives every content type of a body one schema,
 * but a form brings a photograph as a file where JSON brings base64, and brings no embedding.
 */
export function describePhotoForms(document: OpenAPIObject): OpenAPIObject {
  for (const { post } of Object.values(document.paths)) {
    const body = post?.requestBody;
    if (body !== undefined && 'content' in body) describeForm(body, document.components?.schemas ?? {});
  }
  return document;
}

function describeForm(body: Body, schemas: Schemas): void {
  const form = body.content[FORM];
  const json = form?.schema;
  if (form === undefined || json === undefined || !('$ref' in json)) return;
  const whole = schemas[json.$ref.slice('#/components/schemas/'.length)];
  if (whole === undefined || '$ref' in whole) return;
  const fields = Object.entries(whole.properties ?? {}).filter(([name]) => name !== 'embedding');
  const file = { type: 'string', format: 'binary' } as const;
  const properties = Object.fromEntries(
    fields.map(([name, field]) => {
      if (name === 'photos') return [name, { type: 'array' as const, items: file }];
      return [name, name === 'photo' ? file : field];
    }),
  );
  const required = fields.map(([name]) => name).filter((name) => name.startsWith('photo'));
  body.content[FORM] = { schema: { type: 'object', properties, required } };
}
