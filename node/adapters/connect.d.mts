/** Credentials for clients of @connectrpc/connect, and our client as its transport. */
import type { Interceptor, Transport } from '@connectrpc/connect'
import type { Client, ClientOptions } from '../../index.js'
import type { AdapterAuth } from './auth.js'

export type { AdapterAuth, AdapterOptions } from './auth.js'

/**
 * An interceptor for the transports of @connectrpc/connect-node. Over gRPC and gRPC-Web the credentials are metadata, over the
 * Connect protocol an HTTP header.
 *
 * A refused token is replaced, rate limits are waited for, and calls that failed made again, as `Client` does: unary calls, and
 * streams of answers until the first message came. Of a method with `idempotency_level` also those whose answer was lost.
 *
 * Errors are `ConnectError`s; their `cause` is an `AuthError`. Plaintext to another machine is refused (9,
 * `AUTH_INSECURE_TRANSPORT`). A unary call has the `timeout` of the options, or its own `timeoutMs` if that is shorter.
 */
export declare function interceptor(auth: AdapterAuth): Interceptor

/** Options of `createTransport`. */
export type TransportOptions = { interceptors?: Interceptor[] } & ((ClientOptions & { client?: undefined }) | { client: Client })

/** A transport with a client of its own. */
export interface ClientTransport extends Transport {
  /** Closes the client, if it was made by `createTransport`. */
  close(): void
}

/**
 * A transport on our native channel: of a client that is there, or of one with these options, which `close()` closes. Its address
 * begins with `grpc://` or `grpcs://`.
 *
 * Unary calls, and streams of answers, whose headers and trailers are not told; others end with 12 Unimplemented. Headers whose
 * name ends in `-bin` are base64, as for Connect's own gRPC transport. Errors are `ConnectError`s; their `cause` is an `AuthError`.
 *
 * Throws `AUTH_INVALID_ARGUMENT` for options that are not valid.
 *
 * @example
 * const client = createClient(ApplicationManager, createTransport({ address: 'grpcs://handler:1904', credentials }))
 */
export declare function createTransport(options: TransportOptions): ClientTransport
