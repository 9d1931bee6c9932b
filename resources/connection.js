// Test connection, in the dialog of ttn-credentials: what the server found, one row for each transport.
(function () {
  'use strict';

  // What a problem is, and what to do, as the server tells it: with texts of its own, or by their keys.
  function problemText(problem, translate) {
    const status = problem.message && translate(problem.key);
    const what = problem.message || translate(problem.key, problem.values);
    const hint = problem.hint || (problem.hintKey && translate(problem.hintKey));
    return { what: status ? status + ': ' + what : what, hint };
  }

  // One test at a time: another one, an edit and the end of the dialog end it, also on the server.
  function connectionTest(report, translate) {
    let running = null;

    function row(good, title, ...lines) {
      const element = $('<div class="ttn-test-row">').addClass(good ? 'ttn-good' : 'ttn-wrong').appendTo(report);
      $('<strong>').text(title).appendTo(element);
      for (const line of lines) if (line) $('<div>').text(line).appendTo(element);
      return element;
    }

    function transportRow(result) {
      const name = translate('ttn.label.' + result.transport);
      const { what, hint } = result.key ? problemText(result, translate) : {};
      const good = result.info
        ? translate(result.appId ? 'ttn.test.good-app' : 'ttn.test.good-stack', { ms: result.ms, app: result.appId })
        : translate(result.devices === 1 ? 'ttn.test.good-one' : 'ttn.test.good', { ms: result.ms, devices: result.devices });
      const said = result.remark ? remarkText(result) : result.good ? good : what;
      const lines = result.info ? ttnAuth.infoLines(result.info, translate) : [];
      row(result.good, name + ': ' + said, ...lines, result.remark && result.message, hint, result.address).attr('data-transport', result.transport);
    }

    // The Things Stack tells what the credential is; V2 only that a right is missing.
    function remarkText({ remark, info, appId }) {
      if (remark !== 'right-missing' || !info) return translate('ttn.test.' + remark);
      return translate(info.kind === 'api-key' ? 'ttn.test.key-without' : 'ttn.test.token-without', { app: appId });
    }

    function showAnswer(answer, outcome) {
      report.empty();
      const { rows, problem } = outcome === 'success' ? answer : answer.responseJSON || {};
      if (rows) {
        rows.forEach(transportRow);
      } else if (problem) {
        const { what, hint } = problemText(problem, translate);
        row(false, what, hint);
      } else {
        row(false, translate('ttn.test.' + ({ 401: 'no-login', 403: 'read-only' }[answer.status] || 'no-answer')));
      }
      report[0].scrollIntoView({ block: 'nearest' });
    }

    function end() {
      const ended = running;
      running = null;
      if (ended) ended.abort();
      report.empty();
    }

    function start(dialog) {
      end();
      $('<div>').text(translate('ttn.test.running')).appendTo(report);
      const test = $.ajax({ url: 'ttn-credentials/test', method: 'POST', contentType: 'application/json', dataType: 'json', data: JSON.stringify(dialog) });
      running = test;
      test.always((answer, outcome) => {
        if (running !== test) return;
        running = null;
        showAnswer(answer, outcome);
      });
    }

    return { start, end };
  }

  window.ttnAuth = Object.assign(window.ttnAuth || {}, { problemText, connectionTest });
})();
