'use strict';

/**
 * The ApplicationManager's calls, by the name they have on `Client`.
 *
 * `ids` is what must be named, `sends` whether `msg.payload` is the message that is sent, `route` the HTTP form (calls
 * without one exist over gRPC only). Method and path are here to fill `msg.responseUrl`; the core makes the call.
 */
const CALLS = {
  getApplication: { rpc: 'GetApplication', ids: ['app_id'], route: '/applications/{app_id}' },
  registerApplication: { rpc: 'RegisterApplication', ids: ['app_id'], route: '/applications' },
  setApplication: { rpc: 'SetApplication', ids: ['app_id'], sends: true, route: '/applications/{app_id}' },
  deleteApplication: { rpc: 'DeleteApplication', ids: ['app_id'], route: '/applications/{app_id}' },
  getDevice: { rpc: 'GetDevice', ids: ['app_id', 'dev_id'], route: '/applications/{app_id}/devices/{dev_id}' },
  getDevices: { rpc: 'GetDevicesForApplication', ids: ['app_id'], pages: true, route: '/applications/{app_id}/devices' },
  setDevice: {
    rpc: 'SetDevice', ids: ['app_id', 'dev_id'], sends: true, route: '/applications/{app_id}/devices/{dev_id}',
  },
  deleteDevice: { rpc: 'DeleteDevice', ids: ['app_id', 'dev_id'], route: '/applications/{app_id}/devices/{dev_id}' },
  dryUplink: { rpc: 'DryUplink', ids: [], sends: true },
  dryDownlink: { rpc: 'DryDownlink', ids: [], sends: true },
  simulateUplink: { rpc: 'SimulateUplink', ids: ['app_id', 'dev_id'], sends: true },
};

/** The gRPC method, `/package.Service/Method`. */
function rpcMethod(name) {
  return `/handler.ApplicationManager/${CALLS[name].rpc}`;
}

module.exports = { CALLS, rpcMethod };
