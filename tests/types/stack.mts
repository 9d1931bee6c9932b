// The Things Stack: right use compiles, wrong use does not.
import {
  CallAuth,
  Client,
  Credentials,
  type AuthAttempt,
  type AuthError,
  type AuthInfo,
  type EndDevice,
  type ErrorDetails,
  type StackApplication,
  type StackEvent,
} from '@thingskey/ttn-auth'

/** Compiles only if both types are the same: an `any` is not the same as anything else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

export async function right(signal: AbortSignal, error: AuthError): Promise<void> {
  const credentials = Credentials.apiKey('NNSXS.x.y')
  same<ReturnType<typeof credentials.mqtt>, { username: string; password: string }>(true)
  credentials.mqtt({ appId: 'app1', tenant: 'ttn' })
  const client = new Client({ address: 'https://eu1.cloud.thethings.network', credentials })
  const info = await client.authInfo({ signal, timeout: 5 })
  same<typeof info, AuthInfo | null>(true)
  same<AuthInfo['rights'], string[]>(true)
  same<AuthInfo['expiresAt'], Date | undefined>(true)
  const application_ids = { application_id: 'app1' }
  for await (const device of client.endDevices.list({ application_ids, field_mask: 'name', limit: 10 }, { signal })) {
    same<typeof device, EndDevice>(true)
    same<typeof device.ids.device_id, string>(true)
    same<typeof device.name, string | undefined>(true)
  }
  for await (const application of client.applications.list()) same<typeof application, StackApplication>(true)
  const ids = { device_id: 'dev1', application_ids }
  await client.endDevices.get({ end_device_ids: ids, field_mask: ['name'] })
  await client.endDevices.create({ end_device: { ids, name: 'x' } })
  await client.endDevices.update({ end_device: { ids, name: 'x' }, field_mask: { paths: ['name'] } })
  same<Awaited<ReturnType<typeof client.endDevices.delete>>, void>(true)
  await client.applications.create({ application: { ids: application_ids }, collaborator: { user_ids: { user_id: 'alice' } } })
  const events = client.events({ identifiers: [{ application_ids }] }, { signal, onReconnect: (why) => same<typeof why, AuthError | null>(true) })
  for await (const event of events) same<typeof event, StackEvent>(true)
  for await (const message of client.stream('/a.B/C', new Uint8Array())) same<typeof message, Buffer>(true)
  for await (const result of client.stream({ path: '/x' })) same<typeof result, unknown>(true)
  same<typeof error.details, ErrorDetails | undefined>(true)
  const auth = new CallAuth({ credentials })
  const call = auth.begin({ idempotent: true, signal })
  const attempt = await call.next()
  same<typeof attempt, AuthAttempt>(true)
  call.succeeded()
  await call.failed({ httpStatus: 401, body: '' })
}

export async function wrong(client: Client): Promise<void> {
  // @ts-expect-error a credential is text
  Credentials.apiKey(5)
  // @ts-expect-error the Console's name of it
  Credentials.apiKey('NNSXS.x.y').mqtt({ app: 'app1' })
  // @ts-expect-error made by the client
  client.applications = client.applications
  // @ts-expect-error ids have a place
  await client.endDevices.get({ device_id: 'dev1' })
  // @ts-expect-error an application is needed
  client.endDevices.list({})
  // @ts-expect-error what is changed is named
  await client.applications.update({ application: { ids: { application_id: 'app1' } } })
  // @ts-expect-error no such option
  client.events({ identifiers: [] }, { retry: false })
  // @ts-expect-error the message is bytes
  client.stream('/a.B/C', '')
  // @ts-expect-error begun by a CallAuth
  new (await import('@thingskey/ttn-auth')).AuthCall()
}
