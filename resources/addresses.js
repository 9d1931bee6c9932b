// Addresses in the dialogs: what looks wrong about one, what is made of it, and those that are filled in.
(function () {
  'use strict';

  // The core refuses these as well; here it is said before a deploy.
  function addressNote(address) {
    const [, scheme, authority] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?([^/?#]*)/i.exec((address || '').trim());
    if (authority.includes('@')) return { key: 'address-user' };
    if (scheme && !/^(grpc|http)s?$/i.test(scheme)) return { key: 'address-scheme', values: { scheme } };
    return null;
  }
  const isAddress = (value) => !addressNote(value);

  function isOpen(address) {
    const match = /^(?:grpc|http):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+)/i.exec(address.trim());
    return !!match && !/^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i.test(match[1]);
  }

  // Keys of the public network have a server of their own, so it may be left empty.
  function accountNote(address) {
    if (!address) return null;
    if (/^grpcs?:/i.test(address.trim())) return { key: 'account-scheme' };
    return addressNote(address) || (isOpen(address) ? { key: 'account-plaintext' } : null);
  }

  // What is made of an address: people paste `host:1904` or `https://host`. Without a scheme it is TLS.
  function usedAddress(address, transport, stack) {
    const text = address.trim();
    const match = /^(?:(grpc|http)(s?):\/\/)?(\[[^\]]+\]|[^:/?#@\s]+)(:\d+)?\/?$/i.exec(text);
    if (!match || ttnAuth.variableOf(text)) return text;
    const [, scheme, s, host, port] = match;
    const tls = scheme ? s.toLowerCase() : 's';
    const grpc = stack ? (tls ? ':8884' : ':1884') : ':1904';
    return transport + tls + '://' + host + (port || { grpc, http: tls ? ':443' : ':80' }[transport]);
  }
  const hostOf = (address) => (/^(?:[a-z]+:\/\/)?(\[[^\]]+\]|[^:/?#@\s$]+)/i.exec(address.trim()) || [])[1];

  // gRPC address, HTTP address, discovery service.
  const PRESETS = {
    sandbox: () => ['grpc://127.0.0.1:1904', 'http://127.0.0.1:8084', ''],
    handler: (host) => ['grpcs://' + host + ':1904', 'https://' + host + ':8094', ''],
    plaintext: (host) => ['grpc://' + host + ':1904', 'http://' + host + ':8084', ''],
    discovery: () => ['', '', 'grpcs://discovery.thethings.network:1900'],
  };

  window.ttnAuth = Object.assign(window.ttnAuth || {}, { isAddress, isOpen, addressNote, accountNote, usedAddress, hostOf, PRESETS });
})();
