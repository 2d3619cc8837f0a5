import { asId, type Id } from '#platform/ids';
import { InvalidRequest } from '#platform/platform.errors';
import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { validate } from 'uuid';

/** A path parameter that is an id. */
@Injectable()
export class IdPipe<Kind extends string> implements PipeTransform<string, Id<Kind>> {
  transform(value: string, { data }: ArgumentMetadata): Id<Kind> {
    if (!validate(value)) throw new InvalidRequest([{ field: data ?? 'id', message: 'must be a UUID' }]);
    return asId<Kind>(value);
  }
}
