// Which environment variables are set, for the dialog of ttn-credentials: in the flow as the editor holds it, and in Node-RED's
// process.
(function () {
  'use strict';

  const has = (owner, name) => !!owner && (owner.env || []).some((entry) => entry.name === name);

  // Whether the flow in the editor, deployed or not, sets a variable for what belongs to a flow, a subflow or to all.
  function isSetIn(scope, name) {
    if (/^NR_(NODE|FLOW|GROUP|SUBFLOW)_(ID|NAME|PATH)$/.test(name)) return true;
    const subflow = RED.nodes.subflow(scope);
    const own = subflow || RED.nodes.workspace(scope);
    let above = name;
    if (own && /^\$parent\./.test(name)) above = name.replace('$parent.', '');
    else if (has(own, name)) return true;
    if (subflow) {
      const instances = RED.nodes.filterNodes({ type: 'subflow:' + scope });
      return instances.some((instance) => has(instance, name) || isSetAround(instance, above));
    }
    const globals = [];
    RED.nodes.eachConfig((node) => {
      if (node.type === 'global-config') globals.push(node);
    });
    return globals.some((node) => has(node, above));
  }

  function isSetAround({ g, z }, name) {
    const group = g && RED.nodes.group(g);
    if (!group) return isSetIn(z, name);
    return has(group, name) || isSetAround(group, name);
  }

  // Remembers what the process was asked about; `changed` is called when more is known.
  function variables(scope, changed) {
    const inProcess = new Map();
    const unknown = new Set();
    let asking;
    const ask = () => {
      for (const name of unknown) {
        $.getJSON('ttn-credentials/variable', { name: name.replace(/^(\$parent\.)+/, '') }, ({ set }) => {
          inProcess.set(name, set);
          changed();
        }).fail(() => inProcess.set(name, true));
      }
      unknown.clear();
    };
    return {
      // Nothing is said until it is known, or if it may not be.
      isUnset(name) {
        if (isSetIn(scope, name)) return false;
        if (!inProcess.has(name)) unknown.add(name);
        return inProcess.get(name) === false;
      },
      // Not with each letter that is typed.
      askSoon() {
        clearTimeout(asking);
        if (unknown.size > 0) asking = setTimeout(ask, 200);
      },
      forget: () => unknown.clear(),
    };
  }

  window.ttnAuth = Object.assign(window.ttnAuth || {}, { variables });
})();
