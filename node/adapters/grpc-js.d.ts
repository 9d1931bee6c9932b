/** Credentials for clients of @grpc/grpc-js. */
import type { CallCredentials, Interceptor } from '@grpc/grpc-js'
import type { AdapterAuth } from './auth.js'

export type { AdapterAuth, AdapterOptions } from './auth.js'

/** The interceptor's own options. */
export interface GrpcJsOptions {
  /**
   * Which methods, `/package.Service/Method`, may be carried out twice, so that they are called again when their answer was
   * lost. Default: none.
   */
  idempotent?: boolean | ((method: string) => boolean)
}

/**
 * Call credentials, for `credentials.combineChannelCredentials` with TLS. They never learn how a call ends: a token is renewed
 * before it expires, but one that a server refuses is not replaced, and nothing is made again. Use `interceptor` for that.
 *
 * grpc-js refuses them for plaintext channels, but not as an option of a single call: never pass them there on such a channel.
 */
export declare function callCredentials(auth: AdapterAuth): CallCredentials

/**
 * A client interceptor, for TLS and for plaintext to this machine: anything else ends with 9 FAILED_PRECONDITION, and the cause's
 * code `AUTH_INSECURE_TRANSPORT`. A refused token is replaced, rate limits are waited for, and calls that failed made again, as
 * `Client` does: unary calls until they have an answer, streams until the first message came, and as long as they have not
 * sent more than 64 messages.
 *
 * Errors are those of grpc-js; their `cause` is an `AuthError`. A unary call without a deadline has the `timeout` of the options.
 *
 * @example
 * new Service('localhost:1904', credentials.createInsecure(), { interceptors: [interceptor(Credentials.parse(key))] })
 */
export declare function interceptor(auth: AdapterAuth<GrpcJsOptions>): Interceptor
