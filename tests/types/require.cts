// The same from CommonJS.
import ttn = require('@thingskey/ttn-auth')

const client: ttn.Client = new ttn.Client({ address: 'grpc://127.0.0.1:1904', credentials: ttn.Credentials.parse('a.b') })
const device: Promise<ttn.Device> = client.getDevice({ app_id: 'a', dev_id: 'd' })
export = device
