// Compiled as a project that says nothing of its environment: no `types`, no `lib` but the language's.
import { Client, type CallOptions, type HttpResponse, type UnaryAnswer } from '@thingskey/ttn-auth'

/** Compiles only if both types are the same: an `any` is not the same as anything else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

export async function plain(client: Client): Promise<void> {
  same<HttpResponse['body'], Buffer>(true)
  same<UnaryAnswer['message'], Buffer>(true)
  same<CallOptions['signal'], AbortSignal | undefined>(true)
  // `Buffer` and `AbortSignal` themselves may be any here, if nothing declares them.
  same<0 extends 1 & HttpResponse['body'] ? 'any' : 'typed', 'typed'>(true)
  same<0 extends 1 & CallOptions['signal'] ? 'any' : 'typed', 'typed'>(true)
  same<ReturnType<Client[typeof Symbol.asyncDispose]>, Promise<void>>(true)
  const { body } = await client.request({ path: '/' })
  // @ts-expect-error a Buffer has no such method
  body.nope()
}
