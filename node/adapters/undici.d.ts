/** Credentials for dispatchers of undici, 7 and newer. */
import type { AdapterOptions } from './auth.js'

export type { AdapterOptions } from './auth.js'

/** The interceptor's own options. */
export interface UndiciOptions {
  /** `https://` or `http://` with host and port: where the credentials go, and nowhere else. */
  address: string
}

/**
 * What `compose` of any Dispatcher takes. Not undici's own type: which undici that is, only the caller knows.
 */
export type DispatcherInterceptor = <Options extends { origin?: string | URL }, Handler>(
  dispatch: (options: Options, handler: Handler) => boolean,
) => (options: Options, handler: Handler) => boolean

/**
 * An interceptor for `agent.compose(..)`. Requests to the origin of `address` have the credentials; all others pass as they are,
 * also where a redirect leads to them.
 *
 * A refused token is replaced, rate limits are waited for, and requests that failed made again, as `Client` does, unless their
 * body is a stream. Responses come as they are, also 401 and 500. Until a response begins, a request has the `timeout` of the
 * options.
 *
 * Throws `AUTH_INVALID_ARGUMENT` without a valid `address`, `AUTH_INSECURE_TRANSPORT` for plaintext to another machine.
 */
export declare function interceptor(options: AdapterOptions<UndiciOptions>): DispatcherInterceptor
