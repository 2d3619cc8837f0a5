import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiExtraModels, getSchemaPath } from '@nestjs/swagger';

/** A body that is JSON after `type`, or a form whose `field` holds the photographs. */
export function PhotoBody(
  type: new () => object,
  field: 'photo' | 'photos',
  example: object,
): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(type),
    ApiConsumes('application/json', 'multipart/form-data'),
    ApiBody({
      description: `JSON, or multipart/form-data with the photographs as files in \`${field}\`.`,
      schema: { $ref: getSchemaPath(type) },
      examples: { embedding: { summary: "An embedding of the client's own", value: example } },
    }),
  );
}
