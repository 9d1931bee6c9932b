// What a credential says of itself, for the dialog of ttn-credentials. Nothing of it is verified, and all of it strangers' words.
(function () {
  'use strict';

  function claims(jwt) {
    try {
      const bytes = atob(jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
      return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
    } catch (e) {
      return null;
    }
  }

  // What a typed secret says of itself, as the server tells it of a deployed one. Nothing of it is verified.
  function about(kind, secret, stack) {
    const parts = secret.split('.');
    // Of The Things Stack's, only the id: the rest has its server.
    if (stack) return ttnAuth.formOf(secret) && parts.length === 3 && !/\s/.test(secret) ? { kind, id: parts[1] } : null;
    if (kind === 'access-key') return parts.length === 2 && parts[0] && parts[1] && !/\s/.test(secret) ? { kind, issuer: parts[0] } : null;
    const { iss, sub, apps, exp } = (parts.length === 3 && claims(secret)) || {};
    return { kind, issuer: iss, subject: sub, apps, expiresAt: typeof exp === 'number' ? exp * 1000 : undefined };
  }

  function span(ms, translate) {
    const minutes = Math.max(1, Math.floor(Math.abs(ms) / 60000));
    const [length, unit] = [[1440, 'd'], [60, 'h'], [1, 'min']].find(([one]) => minutes >= one);
    return translate('ttn.time.' + unit, { count: Math.floor(minutes / length) });
  }

  // Lines of text. Claims are of any type, length and content.
  function claimLines(said, translate) {
    const text = (value) => (typeof value === 'string' && value ? value.slice(0, 100) : undefined);
    const left = said.expiresAt === undefined ? NaN : new Date(said.expiresAt) - Date.now();
    const whose = [
      text(said.id) && translate('ttn.claims.id', { id: text(said.id) }),
      text(said.issuer) && translate('ttn.claims.issuer', { issuer: text(said.issuer) }),
      text(said.subject) && translate('ttn.claims.subject', { subject: text(said.subject) }),
      left > 0 && translate('ttn.claims.expires', { span: span(left, translate) }),
      left <= 0 && translate('ttn.claims.expired', { span: span(left, translate) }),
    ];
    const apps = Object.entries(Object(said.apps)).slice(0, 10).map(([app, rights]) => {
      const all = (Array.isArray(rights) ? rights : []).map(text).filter(Boolean);
      return text(app) + ': ' + (all.join(', ').slice(0, 200) || translate('ttn.claims.no-rights'));
    });
    return [whose.filter(Boolean).join(' · '), ...apps].filter(Boolean);
  }

  window.ttnAuth = Object.assign(window.ttnAuth || {}, { claims, about, claimLines, span });
})();
