/** What failed, as the worker knows it: a code and a reason. The page has the sentences (`errors.ts`), once. */
import type { SafereelErrorCode } from './errors';
import type { Problem } from './types';

/** A problem of the SDK's own on its way to the page, which says it in words. */
export interface Unworded {
  code: SafereelErrorCode;
  /** What was behind it, in one line; empty where nothing was. */
  reason: string;
  request_id?: string;
}

/** What the worker tells: its own, or what the control plane said. */
export type Trouble = Problem | Unworded;

/** An error of the SDK, known by its code. */
export class Failure extends Error {
  override readonly name: string = 'Failure';
  readonly code: SafereelErrorCode;
  /** By which support finds the request that failed; undefined where none did. */
  requestId: string | undefined;

  constructor(code: SafereelErrorCode, cause?: unknown) {
    super(code, { cause });
    this.code = code;
  }
}

/** One of the SDK's own codes as a trouble. */
export function troubleOf(code: SafereelErrorCode, cause?: unknown): Unworded {
  return { code, reason: cause === undefined ? '' : reasonOf(cause) };
}

/** Any thrown value as a trouble: the SDK's own keep their code, others become `fallback`. */
export function asTrouble(error: unknown, fallback: SafereelErrorCode): Unworded {
  if (!(error instanceof Failure)) return troubleOf(fallback, error);
  const { code, cause, requestId } = error;
  return { ...troubleOf(code, cause), ...(requestId ? { request_id: requestId } : {}) };
}

/** One line for a person about any thrown value. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof Failure) return cause.cause === undefined ? cause.code : reasonOf(cause.cause);
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}

/** True for the error that a full disk or a used-up quota raises, by any of the names browsers gave it. */
export function isStorageFull(error: unknown): boolean {
  if (error instanceof Failure) return error.code === 'storage_full';
  return (
    error instanceof Error && /quota|no space|NS_ERROR_FILE_NO_DEVICE_SPACE/i.test(`${error.name} ${error.message}`)
  );
}
