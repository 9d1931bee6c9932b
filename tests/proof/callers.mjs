// Who calls a guarded server: @grpc/grpc-js, curl and our own client. Each call asks for one device, and ends as
// `{ value }` or as `{ code, grpc, status, message, challenge }`, as far as that caller sees it.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { root } from '../../scripts/prepare.mjs'
import { Client, Credentials } from './calls.mjs'

const { handler } = grpc.loadPackageDefinition(
  loadSync('handler.proto', { includeDirs: [`${root}/proto`], keepCase: true }),
)

/** No call takes longer in milliseconds: the account server has 8 s. */
const LIMIT = 20_000

/** How a kind of credential is sent. */
const metadataName = { token: 'token', key: 'key' }
const scheme = { token: 'Bearer', key: 'Key' }

async function byGrpcJs({ address, appId, devId, kind, secret }) {
  const client = new handler.ApplicationManager(address.replace('grpc://', ''), grpc.credentials.createInsecure())
  const metadata = new grpc.Metadata()
  if (kind) metadata.set(metadataName[kind], secret)
  const options = { deadline: Date.now() + LIMIT }
  try {
    const value = await promisify(client.GetDevice.bind(client))({ app_id: appId, dev_id: devId }, metadata, options)
    return { value: { app_id: value.app_id, dev_id: value.dev_id, description: value.description } }
  } catch (error) {
    return { grpc: error.code, message: error.details }
  } finally {
    client.close()
  }
}

async function byCurl({ address, appId, devId, kind, secret }) {
  const args = ['-sS', '-i', '--max-time', String(LIMIT / 1000), '--noproxy', '*', '--path-as-is']
  if (kind) args.push('-H', `Authorization: ${scheme[kind]} ${secret}`)
  args.push(`${address}/applications/${encodeURIComponent(appId)}/devices/${devId}`)
  const { stdout } = await promisify(execFile)('curl', args)
  const [head, ...rest] = stdout.split('\r\n\r\n')
  const [start, ...lines] = head.split('\r\n')
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]))
  const status = Number(start.split(' ')[1])
  const body = JSON.parse(rest.join('\r\n\r\n'))
  if (status === 200) return { value: body }
  const challenge = headers.get('www-authenticate')
  return { status, grpc: body.code, message: body.message, same: body.error === body.message, challenge, retryAfter: headers.get('retry-after') }
}

async function byOurs({ address, appId, devId, kind, secret }) {
  const credentials = kind && (kind === 'token' ? Credentials.bearerToken(secret) : Credentials.accessKey(secret, { appId }))
  const client = new Client({ address, credentials, retry: false })
  try {
    return { value: await client.getDevice({ app_id: appId, dev_id: devId }, { timeout: LIMIT }) }
  } catch (error) {
    const { code, grpcCode, httpStatus, message } = error
    return { code, grpc: grpcCode, status: httpStatus, message }
  } finally {
    client.close()
  }
}

/** By name: what it speaks, and how it calls. */
export const CALLERS = {
  'grpc-js': { transports: ['grpc'], call: byGrpcJs },
  curl: { transports: ['http'], call: byCurl },
  ours: { transports: ['grpc', 'http'], call: byOurs },
}
