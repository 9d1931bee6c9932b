// Under the dialogs of all nodes: what looks wrong about a field, said while it is typed. It warns, and never decides: the core does.
// The editor loads these files in any order, so they use each other only when they are called.
(function () {
  'use strict';

  const VARIABLE = /^\$(?:\{([^}]+)\}|\(([^)]+)\))$/;
  const ID = /^[0-9a-z](?:[_-]?[0-9a-z]){1,35}$/;

  // What an environment variable can be named; no access key or token looks like it. $parent. is Node-RED's.
  const NAME = /^(?:\$parent\.)*[a-z_]\w*$/i;
  // 32 bytes in base64.
  const STORE_KEY = /^[A-Za-z0-9+/]{43}=$/;

  const isId = (value) => !value || VARIABLE.test(value) || ID.test(value);
  const isPem = (value) => !value || VARIABLE.test(value) || /-----BEGIN CERTIFICATE-----/.test(value);
  const isRate = (value) => !value || VARIABLE.test(value) || (Number.isInteger(Number(value)) && Number(value) > 0);
  const isAtOnce = (value) => isRate(value) && !(Number(value) > 256);
  const isTimeout = (value) => !value || VARIABLE.test(value) || Number(value) > 0;

  // The variable whose value Node-RED puts in the place of a text; undefined if it is none.
  function variableOf(text) {
    const match = VARIABLE.exec(text || '');
    return match ? match[1] || match[2] : undefined;
  }

  // Of a secret that was just typed.
  function secretNote(kind, secret, stack) {
    const parts = secret.split('.');
    const isJwt = parts.length === 3 && /^eyJ/.test(secret);
    if (!secret || secret === '__PWRD__') return null;
    if (variableOf(secret)) return { key: 'variable', values: { name: variableOf(secret) }, fine: true };
    if (/^(bearer|key)\s/i.test(secret)) return { key: 'scheme', values: { scheme: secret.split(/\s/)[0] } };
    if (/\s/.test(secret)) return { key: 'blank' };
    if (stack) return ttnAuth.stackSecretNote(kind, secret);
    if (ttnAuth.formOf(secret)) return { key: 'stack' };
    if (kind === 'access-key') {
      if (isJwt) return { key: 'token-as-key' };
      if (parts.length === 1) return { key: 'no-issuer' };
      if (parts.length > 2 || !parts[0] || !parts[1]) return { key: 'not-key' };
      return null;
    }
    if (parts.length === 2) return { key: 'key-as-token' };
    if (!isJwt) return { key: 'not-token' };
    const exp = (ttnAuth.claims(secret) || {}).exp;
    if (typeof exp !== 'number') return null;
    const values = { date: new Date(exp * 1000).toLocaleString() };
    return exp * 1000 < Date.now() ? { key: 'expired', values } : { key: 'expires', values, fine: true };
  }

  // A name or a path is stored and exported in clear: a secret that is pasted there would be, too.
  const isSecret = (text) => /^(?:eyJ[\w-]+\.|(?:NNSXS|MFRWG|OJSWM|MF2XI|ONZW4)\.|[\w-]+\.[\w-]{24,}$)/.test(text);

  function variableNote(name) {
    if (!name) return { key: 'variable-missing' };
    if (isSecret(name)) return { key: 'secret-in-clear' };
    if (!NAME.test(name)) return { key: 'variable-name' };
    return { key: 'environment', values: { name }, fine: true };
  }

  function fileNote(path) {
    if (!path) return { key: 'file-missing' };
    return isSecret(path) ? { key: 'secret-in-clear' } : { key: 'file', fine: true };
  }

  const isFine = (note) => !note || !!note.fine;

  function show(element, note, translate) {
    element.toggleClass('ttn-wrong', !!note && !note.fine).text(note ? translate('ttn.note.' + note.key, note.values) : '');
  }

  // A field's value: as it is being edited, or as it is stored. Flows that are older than the field have none.
  function current(node, name) {
    const isConfig = node._def.category === 'config';
    const field = $((isConfig ? '#node-config-input-' : '#node-input-') + name);
    // Another dialog has fields of the same names.
    return (field.length && (!isConfig || node.id === ttnAuth.edited) ? field.val() : node[name]) || '';
  }

  window.ttnAuth = Object.assign(window.ttnAuth || {}, { VARIABLE, STORE_KEY, variableOf, isId, isPem, isRate, isAtOnce, isTimeout, secretNote, variableNote, fileNote, isFine, show, current, edited: null });
})();
