import { InsufficientScope, Unauthenticated } from '#auth/auth.errors';
import type { Scope } from '#auth/scopes';
import { OfficerRequired } from '#officers/officers.errors';
import type { DomainErrorClass } from '#platform/domain-error';
import { DependencyUnavailable, InvalidRequest } from '#platform/platform.errors';
import { applyDecorators, HttpCode } from '@nestjs/common';
import { ApiExtension, ApiOperation, ApiResponse, ApiSecurity } from '@nestjs/swagger';
import { AnyOfficer, Public, Scopes } from '../auth/scopes.decorator.js';
import { InternalError, RateLimited } from '../problem/http.errors.js';

interface OperationOptions {
  readonly summary: string;
  readonly description?: string;
  readonly scope: Scope;
  /** Besides those that every call with a token can answer. */
  readonly problems?: readonly DomainErrorClass[];
  readonly status: 200 | 201 | 204;
  readonly response?: {
    readonly type: new () => object;
    readonly isArray?: boolean;
    readonly description: string;
  };
}

const ALWAYS = [
  InvalidRequest,
  Unauthenticated,
  InsufficientScope,
  RateLimited,
  DependencyUnavailable,
  InternalError,
];

/** One call of the API: its scope as enforced, and all that the OpenAPI document says of it. */
export function Operation({ scope, ...options }: OperationOptions): MethodDecorator {
  return applyDecorators(
    Scopes(scope),
    ApiSecurity('oauth2', [scope]),
    ApiSecurity('bearer', []),
    describe(options, `Scope: \`${scope}\`.`, ALWAYS),
  );
}

/** One that any officer may call, and nobody else. */
export function OfficerOperation(options: Omit<OperationOptions, 'scope'>): MethodDecorator {
  return applyDecorators(
    AnyOfficer(),
    ApiSecurity('bearer', []),
    describe(options, 'For any officer.', [...ALWAYS, OfficerRequired]),
  );
}

/** One that needs no token, since it is how an officer gets one. */
export function PublicOperation(options: Omit<OperationOptions, 'scope'>): MethodDecorator {
  const always = ALWAYS.filter((each) => each !== Unauthenticated && each !== InsufficientScope);
  return applyDecorators(Public(), describe(options, 'No token.', always));
}

function describe(
  { summary, description, problems = [], status, response }: Omit<OperationOptions, 'scope'>,
  access: string,
  always: readonly DomainErrorClass[],
): MethodDecorator {
  return applyDecorators(
    HttpCode(status),
    ApiOperation({ summary, description: [description, access].filter(Boolean).join('\n\n') }),
    response === undefined
      ? ApiResponse({ status, description: 'Done.' })
      : ApiResponse({
          status,
          type: response.type,
          isArray: response.isArray ?? false,
          description: response.description,
        }),
    Problems(...new Set([...always, ...problems])),
  );
}

/** What a call may answer besides success: one response for each status, with an example for each code. */
export function Problems(...problems: DomainErrorClass[]): MethodDecorator {
  const byStatus = Map.groupBy(problems, ({ problem }) => problem.status);
  return applyDecorators(
    ApiExtension('x-problem-codes', problems.map(({ problem }) => problem.code).sort()),
    ...[...byStatus].map(([status, kinds]) =>
      ApiResponse({
        status,
        description: kinds.map(({ problem }) => `\`${problem.code}\`: ${problem.title}.`).join('\n\n'),
        content: {
          'application/problem+json': {
            schema: { $ref: '#/components/schemas/Problem' },
            examples: Object.fromEntries(kinds.map((kind) => [kind.problem.code, { value: example(kind) }])),
          },
        },
      }),
    ),
  );
}

function example({ problem }: DomainErrorClass): object {
  const { code, title, status, detail } = problem;
  return {
    type: `/problems/${code}`,
    title,
    status,
    detail,
    code,
    requestId: '019ac5c2-7c1e-7d3a-8a52-0d6d2f6e3b10',
  };
}
