import { SCOPES } from '#auth/scopes';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { describeArchives } from './archives.js';
import { ndjsonExamples } from './ndjson-examples.js';
import { describePhotoForms } from './photo-forms.js';
import { Problem } from './problem.dto.js';

const DESCRIPTION = `Facial recognition whose templates stay encrypted at rest, in memory and while they are matched.

**Start:** get a token (Authorize), create a gallery, register a subject, publish a notice, record a consent, enrol,
verify. Every call names its scope; every refusal is a problem (RFC 9457) with a stable \`code\` and what to do next.`;

export function openApiDocument(app: INestApplication): OpenAPIObject {
  const settings = new DocumentBuilder()
    .setTitle('Velum')
    .setVersion('1')
    .setDescription(DESCRIPTION)
    .addServer('/')
    .addOAuth2(
      { type: 'oauth2', flows: { clientCredentials: { tokenUrl: '/oauth/token', scopes: { ...SCOPES } } } },
      'oauth2',
    )
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, 'bearer')
    .build();
  const document = SwaggerModule.createDocument(app, settings, { extraModels: [Problem] });
  return describeArchives(describePhotoForms(document));
}

/** The explorer at /docs and the document at /openapi.json. */
export function serveOpenApi(app: INestApplication): void {
  SwaggerModule.setup('docs', app, openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Velum API',
    swaggerOptions: {
      persistAuthorization: false,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      plugins: [ndjsonExamples],
    },
  });
}
