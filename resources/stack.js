// The Things Stack (V3) in the dialogs: what its credentials look like, and what a server says of one.
(function () {
  'use strict';

  // What the first of the three parts of a credential says that it is: base32 of "key", "acc" and the like.
  const FORMS = { NNSXS: 'api-key', MFRWG: 'oauth-access-token', OJSWM: 'refresh-token', MF2XI: 'code', ONZW4: 'session-token' };
  const formOf = (secret) => FORMS[secret.split('.')[0]];
  const STACK = 'the-things-stack';

  // A flow that is older than the field is V2's.
  const isStack = (node) => !!node && (ttnAuth.current(node, 'network') || 'v2') === STACK;

  // Which kinds there are in a network: the first is meant where another network's is chosen.
  const KINDS = { v2: ['access-key', 'bearer-token'], [STACK]: ['api-key', 'bearer-token', 'refresh-token'] };

  const CLUSTERS = ['eu1', 'nam1', 'au1'];
  const clusterAddresses = (cluster) => ['grpcs://' + cluster + '.cloud.thethings.network:8884', 'https://' + cluster + '.cloud.thethings.network'];

  // What each kind is not, and what to do with it.
  const [KEY, REFRESH, CODE, ACCESS] = [{ key: 'api-key-as-token' }, { key: 'refresh-token' }, { key: 'code' }, { key: 'token-as-refresh' }];
  const NOTES = {
    'api-key': {
      'oauth-access-token': { key: 'token-as-api-key' }, 'session-token': { key: 'session-as-api-key' }, 'refresh-token': REFRESH, code: CODE,
    },
    'bearer-token': { 'api-key': KEY, 'refresh-token': REFRESH, code: CODE },
    'refresh-token': { 'api-key': KEY, 'oauth-access-token': ACCESS, 'session-token': ACCESS, code: CODE },
  };

  // Of a secret for The Things Stack that was just typed, without a scheme and blanks.
  function stackSecretNote(kind, secret) {
    const form = formOf(secret);
    const parts = secret.split('.');
    if (/^eyJ/.test(secret) && parts.length === 3) return { key: 'jwt-of-v2' };
    if (!form && parts.length === 2 && parts.every(Boolean)) return { key: 'key-of-v2' };
    if (!form) return kind === 'api-key' ? { key: 'not-api-key' } : { key: 'not-stack-token' };
    const elsewhere = (NOTES[kind] || {})[form];
    if (elsewhere) return elsewhere;
    if (parts.length !== 3 || !parts[1] || parts[2].length < 52) return { key: 'incomplete' };
    return form === 'session-token' ? { key: 'session-token', fine: true } : null;
  }

  const word = (value) => (typeof value === 'string' && value ? value.slice(0, 100) : undefined);
  const rightsText = (rights) => rights.map((right) => String(right).replace(/^RIGHT_/, '')).join(', ');

  // What a server takes a credential for, as lines: the answer of auth_info.
  function infoLines(info, translate) {
    const { kind, id, name, entity, rights, isAdmin, expiresAt } = info;
    const left = expiresAt ? new Date(expiresAt) - Date.now() : NaN;
    const of = entity && translate('ttn.claims.of', { entity: translate('ttn.entity.' + entity.kind), id: word(entity.id) });
    const said = [
      [translate('ttn.info.' + kind), word(id), word(name) && '“' + word(name) + '”', of].filter(Boolean).join(' '),
      isAdmin && translate('ttn.claims.admin'),
      left > 0 && translate('ttn.claims.expires', { span: ttnAuth.span(left, translate) }),
      left <= 0 && translate('ttn.claims.expired', { span: ttnAuth.span(left, translate) }),
      !expiresAt && translate('ttn.claims.never'),
    ];
    const all = Array.isArray(rights) ? rights : [];
    const text = rightsText(all);
    const cut = text.length > 300 ? text.slice(0, text.lastIndexOf(', ', 300)) + ', …' : text;
    return [
      said.filter(Boolean).join(' · '),
      all.length > 0 ? translate('ttn.claims.rights', { count: all.length, rights: cut }) : translate('ttn.claims.no-rights'),
    ];
  }

  // The calls of ttn-request by network, and what stands for one of the other.
  const COUNTERPARTS = {
    getDevice: 'endDevices.get', getDevices: 'endDevices.list', setDevice: 'endDevices.update', deleteDevice: 'endDevices.delete',
    getApplication: 'applications.get', registerApplication: 'applications.create', setApplication: 'applications.update',
    deleteApplication: 'applications.delete',
  };
  const isStackCall = (call) => call === 'authInfo' || call.includes('.');
  const isRaw = (call) => call === 'http' || call === 'grpc';
  const isCallOf = (stack, call) => isRaw(call) || isStackCall(call) === stack;
  function counterpart(stack, call) {
    if (isCallOf(stack, call)) return call;
    if (stack) return COUNTERPARTS[call] || 'endDevices.get';
    return Object.keys(COUNTERPARTS).find((name) => COUNTERPARTS[name] === call) || 'getDevice';
  }

  // The network that a node has chosen, in its dialog while it is being chosen.
  function networkOf(node) {
    const [edited] = RED.editor.getEditStack().slice(-1);
    const chosen = edited && edited.id === node.id ? $('#node-input-network').val() : undefined;
    return RED.nodes.node(chosen || node.network);
  }
  const isOfStack = (node) => isStack(networkOf(node));

  window.ttnAuth = Object.assign(window.ttnAuth || {}, {
    STACK, KINDS, CLUSTERS, formOf, isStack, clusterAddresses, stackSecretNote, infoLines, isCallOf, counterpart, networkOf, isOfStack,
  });
})();
