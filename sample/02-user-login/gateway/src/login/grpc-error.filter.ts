import { status } from '@grpc/grpc-js';
import { type ArgumentsHost, Catch, HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** The HTTP status for each gRPC status; any other becomes 502, because the fault is behind the gateway. */
const HTTP_STATUS: ReadonlyMap<unknown, number> = new Map([
  [status.INVALID_ARGUMENT, 400],
  [status.UNAVAILABLE, 503],
  [status.DEADLINE_EXCEEDED, 504],
]);

/** Answers a failed gRPC call with the corresponding HTTP status. */
@Catch()
export class GrpcErrorFilter extends BaseExceptionFilter {
  override catch(exception: unknown, host: ArgumentsHost): void {
    super.catch(isGrpcError(exception) ? toHttp(exception) : exception, host);
  }
}

interface GrpcError extends Error {
  readonly code: number;
  readonly details: string;
}

function isGrpcError(value: unknown): value is GrpcError {
  return value instanceof Error && 'code' in value && 'details' in value;
}

function toHttp({ code, details }: GrpcError): HttpException {
  return new HttpException({ code: status[code], message: details }, HTTP_STATUS.get(code) ?? 502);
}
