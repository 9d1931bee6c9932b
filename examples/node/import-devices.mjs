// Imports devices from a CSV file, as fast as the Handler lets it. A second run does no harm: what is there is replaced.
//   TTN_ADDRESS=grpc://127.0.0.1:1904 TTN_SECRET=ttn-account-v2.full-test-app \
//     node examples/node/import-devices.mjs devices.csv test-app
// Columns: dev_id, app_eui, dev_eui, app_key; and if you like description, latitude, longitude, altitude.
import { createReadStream } from 'node:fs'

import { Client, Credentials, bulk } from '@thingskey/ttn-auth'
import { SingleBar } from 'cli-progress'
import { parse } from 'csv-parse'

const REQUIRED = ['dev_id', 'app_eui', 'dev_eui', 'app_key']

/** The lines of the file as they are needed: `{ record, info }`. */
function lines(path) {
  const columns = (names) => {
    const missing = REQUIRED.filter((name) => !names.includes(name))
    if (missing.length > 0) throw new Error(`${path} has no column ${missing.join(', ')}`)
    return names
  }
  const parser = parse({ bom: true, columns, info: true, skip_empty_lines: true, trim: true })
  return createReadStream(path).on('error', (error) => parser.destroy(error)).pipe(parser)
}

function device(app_id, { dev_id, app_eui, dev_eui, app_key, description, ...place }) {
  const where = Object.entries(place).filter(([name, value]) => ['latitude', 'longitude', 'altitude'].includes(name) && value !== '')
  return {
    app_id,
    dev_id,
    description,
    ...Object.fromEntries(where.map(([name, value]) => [name, Number(value)])),
    lorawan_device: { app_id, dev_id, app_eui, dev_eui, app_key },
  }
}

/** A bar on a terminal; elsewhere, such as in a log, a line for each tenth. */
function progress(total) {
  if (process.stderr.isTTY) {
    const bar = new SingleBar({ format: '{bar} {value}/{total} | failed: {failed} | {eta_formatted} left', stream: process.stderr })
    bar.start(total, 0, { failed: 0 })
    return { update: ({ done, failed }) => bar.update(done, { failed }), stop: () => bar.stop() }
  }
  const step = Math.ceil(total / 10)
  const update = ({ done, failed }) => done % step === 0 && console.error(`${done} of ${total}, ${failed} failed`)
  return { update, stop: () => {} }
}

async function main([path, app_id]) {
  if (!path || !app_id) throw new Error('which file, and which application? node import-devices.mjs devices.csv my-app')
  const { TTN_ADDRESS: address, TTN_CA: ca, TTN_ACCOUNT_SERVER: accountServer } = process.env
  const credentials = Credentials.fromEnvironment('TTN_SECRET', { appId: app_id })
  const exchange = accountServer ? { accountServer } : false
  const client = new Client({ address, ca, credentials, exchange, rateLimit: 5 })
  const controller = new AbortController()
  process.once('SIGINT', () => controller.abort(new Error('Ctrl-C')))

  // Once through the file before anything is sent: a line that cannot be read is found, and the lines are counted.
  let total = 0
  for await (const _ of lines(path)) total += 1

  const places = []
  const shown = progress(total)
  const importOne = ({ record, info }, index, { signal }) => {
    places[index] = `line ${info.lines} (${record.dev_id})`
    return client.setDevice(device(app_id, record), { signal })
  }
  const results = await bulk(lines(path), importOne, { signal: controller.signal, onProgress: shown.update })
  shown.stop()
  client.close()

  const failed = [...results.entries()].filter(([, { status }]) => status === 'rejected')
  for (const [index, { reason }] of failed) console.error(`${places[index] ?? path}: ${reason.code ?? ''} ${reason.message}`)
  console.log(`${results.length - failed.length} of ${total} devices imported`)
  process.exitCode = results.length - failed.length === total ? 0 : 1
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`${error.message}${error.hint ? `\n${error.hint}` : ''}`)
  process.exitCode = 2
})
