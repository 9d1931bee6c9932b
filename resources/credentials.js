// The dialog of ttn-credentials: which fields are shown, and what is said under them.
(function () {
  'use strict';

  const comesFrom = (node, source) => (ttnAuth.current(node, 'source') || 'stored') === source;
  const isHere = (node) => !ttnAuth.isStack(node) && ttnAuth.current(node, 'kind') === 'access-key' && ttnAuth.current(node, 'exchange') === 'here';
  const isRefresh = (node) => ttnAuth.isStack(node) && ttnAuth.current(node, 'kind') === 'refresh-token';
  const field = (name) => $('#node-config-input-' + name);

  function exchangeNote(node) {
    if (!isHere(node)) return null;
    return ttnAuth.current(node, 'appId') ? { key: 'exchange', fine: true } : { key: 'app-id-needed' };
  }

  function clientNote(node) {
    if (isRefresh(node) && !ttnAuth.current(node, 'clientId')) return { key: 'client-needed' };
    return !ttnAuth.current(node, 'clientId') === !ttnAuth.current(node, 'clientSecret') ? null : { key: 'client-both' };
  }

  function storeNote(node) {
    const [file, key] = [ttnAuth.current(node, 'storeFile'), ttnAuth.current(node, 'storeKey')];
    if (!file && !key) return isRefresh(node) ? { key: 'store-needed' } : null;
    if (!file || !key) return { key: 'store-both' };
    if (key !== '__PWRD__' && !ttnAuth.VARIABLE.test(key) && !ttnAuth.STORE_KEY.test(key)) return { key: 'store-key' };
    return { key: 'store', fine: true };
  }

  // Where the Identity Server is, and what a username for MQTT ends with.
  function tenantNote() {
    const cluster = field('cluster').val();
    const tenant = field('tenant').val();
    if (cluster === 'own' && !tenant) return { key: 'tenant', fine: true };
    if (cluster !== 'own' && cluster !== 'eu1') return { key: 'identity-eu1', values: { cluster }, fine: true };
    return { key: 'tenant-used', values: { tenant: tenant || 'ttn' }, fine: true };
  }

  function discoveryNote() {
    if (!field('discovery').val()) return null;
    return field('appId').val() ? { key: 'discovery', fine: true } : { key: 'discovery-app' };
  }

  // Stored secrets that are there, as far as that is known: an export holds none, so after an import they are lost.
  const held = new Map();
  const isEmpty = (node) => field('secret').val() === '' && !!RED.nodes.node(node.id);
  const isLost = (node) => comesFrom(node, 'stored') && (node.id === ttnAuth.edited ? isEmpty(node) : held.get(node.id) === false);

  function lookForSecret(node) {
    if (node.type !== 'ttn-credentials' || held.has(node.id)) return;
    $.getJSON('credentials/ttn-credentials/' + encodeURIComponent(node.id), (stored) => {
      // It may have been entered, or taken away, in the meantime.
      if (held.has(node.id) || !RED.nodes.node(node.id)) return;
      held.set(node.id, !!stored.has_secret || !!(node.credentials && node.credentials.secret));
      if (!held.get(node.id)) [node].concat(node.users || []).forEach((one) => RED.editor.validateNode(one));
      RED.view.redraw();
    });
  }
  RED.events.on('nodes:add', lookForSecret);
  RED.events.on('nodes:remove', (node) => held.delete(node.id));

  const PLACEHOLDERS = {
    v2: { grpc: 'grpcs://handler.example.com:1904', http: 'https://handler.example.com:8094' },
    stack: { grpc: 'grpcs://thethings.example.com:8884', http: 'https://thethings.example.com' },
  };

  // What ends the test of the open dialog's connection.
  let endTest = () => {};

  function openCredentials(node) {
    ttnAuth.edited = node.id;
    const translate = node._.bind(node);
    const names = Object.keys(node._def.defaults).filter((name) => name !== 'name');
    const secrets = Object.keys(node._def.credentials);
    const all = $(names.concat(secrets).map((name) => '#node-config-input-' + name).join());
    const addresses = $('#node-config-input-grpcAddress, #node-config-input-httpAddress, #node-config-input-discovery');
    const variables = ttnAuth.variables(node.z, () => update());

    const isShown = (name) => !field(name).parents('.ttn-part, .ttn-of, #ttn-ca').toArray().some((part) => part.style.display === 'none');
    const unsetNote = (note) => (note && note.fine && note.values && variables.isUnset(note.values.name) ? { key: 'variable-unset', values: note.values } : note);

    function variablesNote() {
      const texts = ['appId', 'tenant', 'grpcAddress', 'httpAddress', 'discovery', 'accountServer'].filter(isShown).map((name) => field(name).val() || '');
      const part = texts.map((text) => !ttnAuth.variableOf(text) && /\$\{([^}]*)\}/.exec(text)).find(Boolean);
      if (part) return { key: 'variable-part', values: { name: part[1] } };
      const used = names.filter(isShown).concat(isHere(node) || isRefresh(node) ? ['clientSecret', 'storeKey'] : []).map((name) => ttnAuth.variableOf(field(name).val()));
      const unset = [...new Set(used.filter((name) => name !== undefined && variables.isUnset(name)))];
      return unset.length > 0 ? { key: 'variables-unset', values: { names: unset.join(', ') } } : null;
    }

    function secretNote() {
      if (comesFrom(node, 'environment')) return unsetNote(ttnAuth.variableNote(field('variable').val()));
      if (comesFrom(node, 'file')) return ttnAuth.fileNote(field('file').val());
      if (isEmpty(node)) return { key: 'secret-lost' };
      const note = ttnAuth.secretNote(field('kind').val(), field('secret').val(), ttnAuth.isStack(node));
      return note && note.key === 'variable' ? unsetNote(note) : note;
    }

    function networkNote() {
      if (!isShown('grpcAddress')) {
        const cluster = field('cluster').val();
        return { key: 'address-used', values: { addresses: ttnAuth.clusterAddresses(cluster).join(', ') }, fine: true };
      }
      const stack = ttnAuth.isStack(node);
      const wrong = addresses.toArray().map((input) => ttnAuth.addressNote(input.value)).find(Boolean);
      const open = addresses.slice(0, 2).toArray().some((input) => ttnAuth.isOpen(input.value));
      const key = field('allowInsecure').is(':checked') ? 'plaintext' : 'plaintext-refused';
      if (wrong || open) return wrong || { key };
      const used = ['grpc', 'http'].map((transport) => [field(transport + 'Address').val().trim(), transport])
        .filter(([entered, transport]) => entered && ttnAuth.usedAddress(entered, transport, stack) !== entered)
        .map(([entered, transport]) => ttnAuth.usedAddress(entered, transport, stack));
      return used.length > 0 ? { key: 'address-used', values: { addresses: used.join(', ') }, fine: true } : null;
    }

    // What the deployed secret says of itself, for as long as the same one is chosen.
    let deployed = null;
    const chosen = () => ['network', 'kind', 'source', 'variable', 'file'].map((name) => field(name).val()).join();
    let chosenAsDeployed;

    function showClaims() {
      const secret = field('secret').val();
      const typed = comesFrom(node, 'stored') && secret !== '__PWRD__';
      const said = typed ? !!secret && !ttnAuth.variableOf(secret) && ttnAuth.about(field('kind').val(), secret, ttnAuth.isStack(node)) : chosen() === chosenAsDeployed && deployed;
      const element = $('#ttn-claims').empty();
      if (!said) return;
      const { what, hint } = said.problem ? ttnAuth.problemText(said.problem, translate) : {};
      const lines = what ? [what + (hint ? '. ' + hint : '')] : ttnAuth.claimLines(said, translate);
      if (lines.length > 0 && !typed) lines[0] = translate('ttn.claims.deployed', { what: lines[0] });
      for (const line of lines) $('<div>').toggleClass('ttn-wrong', !!what).text(line).appendTo(element);
    }

    const host = () => ['grpcAddress', 'httpAddress'].map((name) => ttnAuth.hostOf(field(name).val())).find((name) => name && !/^(localhost|127\.|\[::1\])/.test(name));
    function preset() {
      const now = ['grpcAddress', 'httpAddress', 'discovery'].map((name) => field(name).val()).join();
      return Object.keys(ttnAuth.PRESETS).find((name) => ttnAuth.PRESETS[name](host() || '').join() === now) || '';
    }

    function update() {
      // Under another dialog, as that of a TLS configuration, the fields are out of the page.
      if (node.id !== ttnAuth.edited || field('kind').length === 0) return;
      variables.forget();
      const stack = ttnAuth.isStack(node);
      const kind = field('kind').val();
      const parts = {
        stack,
        v2: !stack,
        addresses: !stack || field('cluster').val() === 'own',
        stored: comesFrom(node, 'stored'),
        environment: comesFrom(node, 'environment'),
        file: comesFrom(node, 'file'),
        exchange: !stack && kind === 'access-key',
        here: isHere(node) || isRefresh(node),
        account: isHere(node),
      };
      $('.ttn-part, .ttn-of').each(function () {
        $(this).toggle(parts[$(this).data('for')]);
      });
      const open = parts.addresses && addresses.toArray().some((input) => ttnAuth.isOpen(input.value));
      $('#ttn-insecure').toggle(open || (!stack && !!field('discovery').val()) || field('allowInsecure').is(':checked'));
      $('#ttn-ca').toggle(!field('tls').val() || field('tls').val() === '_ADD_');
      $('#ttn-network-more-label').text(translate(stack ? 'ttn.label.stack-more' : 'ttn.label.network-more'));
      $('#ttn-secret-label').text(translate('ttn.kind.' + kind));
      field('secret').attr('placeholder', translate('ttn.placeholder.' + (stack && kind === 'bearer-token' ? 'oauth-token' : kind)));
      for (const transport of ['grpc', 'http']) field(transport + 'Address').attr('placeholder', PLACEHOLDERS[stack ? 'stack' : 'v2'][transport]);
      field('tenant').attr('placeholder', field('cluster').val() === 'own' ? '' : 'ttn');
      const notes = {
        secret: secretNote(),
        exchange: exchangeNote(node),
        account: ttnAuth.accountNote(field('accountServer').val()),
        client: clientNote(node),
        store: storeNote(node),
        address: networkNote(),
        tenant: tenantNote(),
        discovery: discoveryNote(),
        variables: variablesNote(),
      };
      for (const [name, note] of Object.entries(notes)) ttnAuth.show($('#ttn-' + name + '-note'), note, translate);
      $('#ttn-preset').val(preset());
      showClaims();
      variables.askSoon();
    }

    const test = ttnAuth.connectionTest($('#ttn-test-report'), translate);
    endTest = test.end;
    $('#ttn-test').on('click', () => {
      const settings = Object.fromEntries(names.map((name) => [name, field(name).val() || '']));
      settings.allowInsecure = field('allowInsecure').is(':checked');
      if (settings.tls === '_ADD_') settings.tls = '';
      test.start({ id: node.id, settings, secrets: Object.fromEntries(secrets.map((name) => [name, field(name).val() || ''])) });
    });

    // A flow that is older than a field has no value for it.
    for (const [name, value] of Object.entries({ network: 'v2', cluster: 'own', kind: 'access-key', source: 'stored', exchange: 'server' })) {
      if (!field(name).val()) field(name).val(value);
    }
    const checkKind = () => $('input[name=ttn-kind][value=' + field('kind').val() + ']').prop('checked', true);
    checkKind();
    // A kind that the other network does not have is its first one's place.
    field('network').on('change', function () {
      const kinds = ttnAuth.KINDS[this.value];
      if (!kinds.includes(field('kind').val())) field('kind').val(kinds[0]);
      // Nothing is entered yet, so a public cluster is what is meant.
      if (this.value === ttnAuth.STACK && !field('grpcAddress').val() && !field('httpAddress').val() && node.cluster === undefined) field('cluster').val('eu1');
      checkKind();
    });
    $('input[name=ttn-kind]').on('change', function () {
      field('kind').val(this.value).trigger('change');
    });
    // ${NAME} would be replaced by the secret itself before the node sees it.
    field('variable').on('change', function () {
      this.value = ttnAuth.variableOf(this.value.trim()) || this.value.trim();
    });
    $('#ttn-new-key').on('click', () => {
      const bytes = crypto.getRandomValues(new Uint8Array(32));
      field('storeKey').val(btoa(String.fromCharCode(...bytes))).trigger('change');
    });
    $('#ttn-preset').on('change', function () {
      if (!this.value) return update();
      const filled = ttnAuth.PRESETS[this.value](host() || 'handler.example.com');
      ['grpcAddress', 'httpAddress', 'discovery'].forEach((address, index) => field(address).val(filled[index]).trigger('change'));
      if (field('discovery').val()) $('#ttn-network-more').prop('open', true);
    });
    const rarely = { 'ttn-more': ['storeFile', 'storeKey', 'accountCa'], 'ttn-network-more': ['discovery', 'tls', 'ca', 'timeout', 'rateLimit'] };
    for (const [id, inside] of Object.entries(rarely)) {
      $('#' + id).prop('open', inside.some((name) => field(name).val() && field(name).val() !== '_ADD_'));
    }
    // The next refresh token has to be kept somewhere.
    $('input[name=ttn-kind]').on('change', () => isRefresh(node) && $('#ttn-more').prop('open', true));
    all.on('input change', update);
    all.on('input', test.end);
    chosenAsDeployed = chosen();
    if (RED.nodes.node(node.id)) {
      $.getJSON('ttn-credentials/' + encodeURIComponent(node.id) + '/about', (said) => {
        deployed = said;
        update();
      });
    }
    update();
  }

  function saveCredentials(node) {
    // A secret that is not used is not kept.
    if (!comesFrom(node, 'stored')) field('secret').val('');
    if (!isHere(node) && !isRefresh(node)) $('#node-config-input-clientSecret, #node-config-input-storeKey').val('');
    held.set(node.id, field('secret').val() !== '');
    closeCredentials(node);
  }

  // Also called for a node that is removed without a dialog.
  function closeCredentials(node) {
    if (node.id !== ttnAuth.edited) return;
    ttnAuth.edited = null;
    endTest();
  }

  window.ttnAuth = Object.assign(window.ttnAuth || {}, { comesFrom, isHere, isRefresh, isLost, clientNote, storeNote, openCredentials, saveCredentials, closeCredentials });
})();
