'use strict';

const { invalid } = require('./problem');

/**
 * The certificates to trust (PEM) of one of the core's tls-config nodes; undefined where it has none, which means the
 * platform's. What it asks for besides cannot be done, and is refused: a setting that has no effect misleads.
 *
 * @param node the node; null where there is none
 */
function certificatesOf(node) {
  if (typeof node?.addTLSOptions !== 'function') throw invalid('tls-missing');
  // It has said in the log which file cannot be read.
  if (node.valid === false) throw invalid('tls-invalid');
  const options = node.addTLSOptions({});
  if (options.rejectUnauthorized === false) throw invalid('tls-unverified');
  if (options.cert || options.key || options.pfx) throw invalid('tls-client');
  if (options.servername) throw invalid('tls-server-name');
  if (options.ALPNProtocols) throw invalid('tls-alpn');
  return options.ca ? String(options.ca) : undefined;
}

module.exports = { certificatesOf };
