'use strict';

const application = ({ app_id }) => ({ application_id: app_id });
const device = ({ app_id, dev_id }) => ({ device_id: dev_id, application_ids: application({ app_id }) });
const user = ({ user_id }) => ({ user_ids: { user_id } });

const [APP, DEV] = [['app_id'], ['app_id', 'dev_id']];
const [APPS, DEVICES] = ['/api/v3/applications', '/api/v3/applications/{app_id}/devices'];

/**
 * The calls of The Things Stack, by the name they have on `Client` (v3/wire.md, section CRUD).
 *
 * `ids` is what must be named; of `sends`, `msg.payload` is one, whose ids `own` gives. `request` makes the message of the
 * ids, and of what is sent. `masked` calls take a field mask; `lists` names what each page has. `rpc` and `route` are here to
 * fill `msg.responseUrl`; the core makes the call.
 */
const STACK_CALLS = {
  authInfo: { rpc: 'EntityAccess/AuthInfo', ids: [], route: '/api/v3/auth_info' },
  'applications.list': {
    rpc: 'ApplicationRegistry/List', ids: [], lists: true, masked: true, route: APPS,
    // Of whoever calls, unless a user is named.
    request: (ids) => (ids.user_id ? { collaborator: user(ids) } : {}),
  },
  'applications.get': {
    rpc: 'ApplicationRegistry/Get', ids: APP, masked: true, route: `${APPS}/{app_id}`,
    request: (ids) => ({ application_ids: application(ids) }),
  },
  'applications.create': {
    rpc: 'ApplicationRegistry/Create', ids: ['app_id', 'user_id'], sends: 'application', own: application,
    route: '/api/v3/users/{user_id}/applications',
    request: (ids, sent) => ({ collaborator: user(ids), ...sent }),
  },
  'applications.update': {
    rpc: 'ApplicationRegistry/Update', ids: APP, sends: 'application', own: application, masked: true, route: `${APPS}/{app_id}`,
    request: (ids, sent) => sent,
  },
  'applications.delete': { rpc: 'ApplicationRegistry/Delete', ids: APP, route: `${APPS}/{app_id}`, request: application },
  'endDevices.list': {
    rpc: 'EndDeviceRegistry/List', ids: APP, lists: true, masked: true, route: DEVICES,
    request: (ids) => ({ application_ids: application(ids) }),
  },
  'endDevices.get': {
    rpc: 'EndDeviceRegistry/Get', ids: DEV, masked: true, route: `${DEVICES}/{dev_id}`,
    request: (ids) => ({ end_device_ids: device(ids) }),
  },
  'endDevices.create': {
    rpc: 'EndDeviceRegistry/Create', ids: DEV, sends: 'end_device', own: device, route: DEVICES, request: (ids, sent) => sent,
  },
  'endDevices.update': {
    rpc: 'EndDeviceRegistry/Update', ids: DEV, sends: 'end_device', own: device, masked: true, route: `${DEVICES}/{dev_id}`,
    request: (ids, sent) => sent,
  },
  'endDevices.delete': { rpc: 'EndDeviceRegistry/Delete', ids: DEV, route: `${DEVICES}/{dev_id}`, request: device },
};

module.exports = { STACK_CALLS };
