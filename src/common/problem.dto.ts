import { applyDecorators } from '@nestjs/common';
import { ApiDefaultResponse, ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { ERRORS, type ErrorCode } from '@relay/protocol';

class FieldErrorDto {
  @ApiProperty()
  readonly field!: string;

  @ApiProperty()
  readonly message!: string;
}

export class ProblemDto {
  @ApiProperty({ example: 'about:blank' })
  readonly type!: string;

  @ApiProperty({ example: 'Not Found' })
  readonly title!: string;

  @ApiProperty({ type: 'integer', example: 404 })
  readonly status!: number;

  @ApiProperty()
  readonly detail!: string;

  @ApiProperty({ enum: Object.keys(ERRORS), description: 'Stable; the same codes as in WebSocket errors.' })
  readonly code!: ErrorCode;

  @ApiProperty({ description: 'The same text as `detail`, for clients of the first relay.' })
  readonly error!: string;

  @ApiProperty({ description: 'Whether the same request may succeed later.' })
  readonly retryable!: boolean;

  @ApiPropertyOptional({ type: [FieldErrorDto] })
  readonly errors?: readonly FieldErrorDto[];
}

/** Documents that every failure of a controller is a problem (RFC 9457). */
export function ApiProblems(): ClassDecorator {
  const schema = { $ref: getSchemaPath(ProblemDto) };
  return applyDecorators(
    ApiExtraModels(ProblemDto),
    ApiDefaultResponse({ description: 'A problem (RFC 9457)', content: { 'application/problem+json': { schema } } }),
  );
}
