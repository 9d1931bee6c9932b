'use strict';

// What of a ttn-credentials node is different for The Things Stack (V3): its clusters, its addresses, its credentials.

const { invalid } = require('./problem');
const { present, withScheme } = require('./setting');

const STACK = 'the-things-stack';

/** The public clusters of The Things Network. */
const CLUSTERS = ['eu1', 'nam1', 'au1'];

/**
 * The one that has the Identity Server of all: applications, devices, who may what, OAuth. Asked for these, the others fail
 * (the documentation of The Things Stack Sandbox, under Addresses).
 */
const IDENTITY = 'eu1';

/** The tenant of the public clusters. An installation of one's own has none unless it says so. */
const PUBLIC_TENANT = 'ttn';

/** Ports of gRPC where an address names none: with TLS, and in clear (v3/wire.md, on top). */
const PORTS = { grpcs: 8884, grpc: 1884 };

/** Whether a node's network is The Things Stack. Flows that are older than the setting are V2's. */
function isStack({ network }) {
  const name = present(network) ?? 'v2';
  if (name !== 'v2' && name !== STACK) throw invalid('network-unknown', { name });
  return name === STACK;
}

/** The public cluster that is chosen; undefined if the addresses are entered. */
function clusterOf({ cluster }) {
  const name = present(cluster) ?? 'own';
  if (name !== 'own' && !CLUSTERS.includes(name)) throw invalid('cluster-unknown', { name });
  return name === 'own' ? undefined : name;
}

/** Where a public cluster is. */
function clusterAddress(cluster, transport) {
  const host = `${cluster}.cloud.thethings.network`;
  return transport === 'grpc' ? `grpcs://${host}:${PORTS.grpcs}` : `https://${host}`;
}

/** An entered address with its scheme, and for gRPC with its port. */
function stackAddress(text, transport) {
  const address = withScheme(text, transport);
  const [, scheme, host] = /^(grpcs?):\/\/(\[[^\]]+\]|[^:/?#@\s]+)\/?$/.exec(address) ?? [];
  return scheme ? `${scheme}://${host}:${PORTS[scheme]}` : address;
}

/** The tenant that a username for MQTT ends with; undefined where there is none. */
function tenantOf(settings) {
  return present(settings.tenant) ?? (clusterOf(settings) ? PUBLIC_TENANT : undefined);
}

module.exports = { IDENTITY, STACK, clusterAddress, clusterOf, isStack, stackAddress, tenantOf };
