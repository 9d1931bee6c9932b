'use strict';

const native = require('../../load.js').load();
const { takeHeaders } = require('../../presented.js');

/** What a caller is told when it cannot be told whether to let it in. As the core's answers look; 14 is gRPC's Unavailable. */
const text = 'the credentials cannot be checked now';
const UNABLE = Object.freeze({
  status: 503,
  headers: { 'content-type': 'application/json', 'retry-after': '1' },
  body: JSON.stringify({ error: text, code: 14, message: text }),
});

/** The response of an http in node, which Node-RED wraps to warn of old ways to use it. */
const responseOf = (msg) => msg.res?._res ?? msg.res;

/** Whether a message still has the caller that an http in node gave it. */
function hasCaller(msg) {
  const { req } = msg;
  return typeof req?.headers === 'object' && req.headers !== null && typeof responseOf(msg)?.end === 'function';
}

/**
 * Takes the credentials off a request, so that no node behind the guard has them. A second guard of the same request is
 * given them again.
 */
const takeCredentials = (req) => takeHeaders(req, native.credentialNames('header'));

/** Answers the caller, unless the flow already has. */
function respond(msg, { status, headers, body }) {
  const response = responseOf(msg);
  if (typeof response?.end !== 'function' || response.headersSent || response.writableEnded) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

/** The same answer for an http response node to give. */
function asMessage({ status, headers, body }) {
  return { statusCode: status, headers: { ...headers }, payload: JSON.parse(body) };
}

module.exports = { UNABLE, asMessage, hasCaller, respond, takeCredentials };
