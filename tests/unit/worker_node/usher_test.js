// SPDX-License-Identifier: MIT
//
// Unit tests of usher.js, against a master of a few lines: `node usher_test.js`.  What is tested is a
// process of its own, that runs a text; its bus is a pipe of libuv's, which is a Unix socket.
'use strict';
const assert = require('assert');
const { spawn, execFile } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');
const test = require('node:test');

const PATIENCE = 60_000; // ms, for one thing; a busy machine is no fault
const library = path.join(__dirname, '../../../worker/node');
const typescript = path.join(__dirname, '../../node/node_modules/typescript/bin/tsc');
const welcome = { type: 'welcome', protocol: 1, pool: 'web', slot: 2, worker: 7, generation: 1, group: 'web' };

/** A process with a bus, and the other end of it. */
class Worker {
  constructor(program, { variables = {}, command = [process.execPath], arguments: before = ['-e'] } = {}) {
    const text = `const usher = require('usher'), { bus } = usher;${program}`;
    const [file, ...rest] = [...command, ...before];
    this.process = spawn(file, [...rest, ...(before.includes('-e') ? [text] : [])], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      env: { PATH: process.env.PATH, NODE_PATH: library, USHER_BUS_FD: '3', ...variables },
      timeout: PATIENCE,
    });
    this.bus = this.process.stdio[3];
    this.bus.on('error', () => {}); // of a process that has ended; its test says so
    this.heard = readline.createInterface({ input: this.bus })[Symbol.asyncIterator]();
    this.printed = readline.createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => this.process.on('close', (code, signal) => resolve(signal ?? code)));
  }

  static async welcomed(program, options) {
    const worker = new Worker(program, options);
    await worker.hear({ type: 'hello', protocol: 1 });
    worker.say(welcome);
    return worker;
  }

  say(...messages) {
    this.bus.write(messages.map((each) => `${typeof each === 'string' ? each : JSON.stringify(each)}\n`).join(''));
  }

  /** The next message, which has all that is expected. */
  async hear(expected) {
    for (;;) {
      const { value, done } = await this.heard.next();
      assert(!done, `the bus has ended before ${JSON.stringify(expected)}`);
      if (value !== '') {
        const message = JSON.parse(value);
        for (const [name, wanted] of Object.entries(expected))
          assert.deepStrictEqual(message[name], wanted, value);
        return message;
      }
    }
  }

  async allow(expected) {
    const { id } = await this.hear(expected);
    this.say({ type: 'ok', id, receivers: 1 });
  }

  /** The next line that it prints. */
  async print() {
    const { value, done } = await this.printed.next();
    assert(!done, 'it has ended');
    return value;
  }
}

/** Deno and Bun, where `scripts/install-deps test` has brought them. */
const others = [['Deno', '@deno/linux-*/deno', ['run', '--allow-all']], ['Bun', '@oven/bun-linux-*/bin/bun', []]].map(
  ([name, pattern, options]) => {
    const [scope, packages, ...rest] = pattern.split('/');
    const folder = path.join(__dirname, '../../node/node_modules', scope);
    const found = fs.existsSync(folder) && fs.readdirSync(folder).find((each) => each.startsWith(packages.replace('*', '')));
    return { name, command: found && [path.join(folder, found, ...rest), ...options] };
  });

const withStore = async (program, ...entries) => {
  const worker = await Worker.welcomed(`usher.store().then(async (store) => {${program}});`);
  await worker.hear({ type: 'sync' });
  worker.say({ type: 'snapshot', revision: 9, keys: entries.length }, ...entries.map(([key, value, revision]) =>
    ({ type: 'set', key, value, revision })), { type: 'synced', revision: 9 });
  return worker;
};

test('who uses it knows who it is, and keeps it from other programs', async () => {
  const worker = await Worker.welcomed(`
    bus.identity().then((identity) => {
      console.log(JSON.stringify(identity), process.env.USHER_BUS_FD);
      const list = "require('fs').readdirSync('/proc/self/fd').map((fd) => { try { " +
        "return require('fs').readlinkSync('/proc/self/fd/' + fd) } catch {} })";
      const theirs = require('child_process').execFileSync(process.execPath, ['-p', list]);
      console.log(String(theirs).includes(require('fs').readlinkSync('/proc/self/fd/3')));
    });`);
  const { type, protocol, ...identity } = welcome;
  assert.strictEqual(await worker.print(), `${JSON.stringify({ ...identity, name: 'web/2' })} undefined`);
  assert.strictEqual(await worker.print(), 'false');
  assert.strictEqual(await worker.ended, 0);
});

test('what was meant for the process before is passed over', async () => {
  const worker = new Worker(`bus.subscribe('a', ({ data }) => { console.log(data); process.exit(); }); bus.ref();`);
  worker.bus.write('ssage","data":1}\n');
  worker.say({ type: 'message', topic: 'a', from: 'x/1', data: 'old' });
  await worker.hear({ type: 'hello' });
  worker.say(welcome, { type: 'message', topic: 'a', from: 'x/1', data: 'new' });
  assert.strictEqual(await worker.print(), 'new');
});

test('messages go to what they match in their order, and in pieces', async () => {
  const worker = await Worker.welcomed(`
    for (const pattern of ['cache.*', 'cache.>', '*'])
      bus.subscribe(pattern, ({ data, topic, from }) => console.log(pattern, data, topic, from));
    bus.on('message', ({ data }) => console.log('none', data));
    bus.ref();`);
  for (const pattern of ['cache.*', 'cache.>', '*'])
    await worker.allow({ type: 'subscribe', pattern });
  const lines = ['cache.ä', 'cache.ä.b', 'cache', 'ca.che.d'].map((data) =>
    `${JSON.stringify({ type: 'message', topic: data.replace('ä', 'a'), from: 'web/1', data })}\n`).join('');
  for (const byte of Buffer.from(lines)) {
    worker.bus.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  for (const line of ['cache.* cache.ä cache.a web/1', 'cache.> cache.ä cache.a web/1',
    'cache.> cache.ä.b cache.a.b web/1', '* cache cache web/1', 'none ca.che.d'])
    assert.strictEqual(await worker.print(), line);
  worker.process.kill();
});

test('lines that say nothing do no harm', async () => {
  const worker = await Worker.welcomed(`
    process.on('warning', (warning) => console.log(warning.message));
    bus.subscribe('a', ({ data }) => { console.log(data); process.exit(); });
    bus.ref();`, { arguments: ['--no-warnings', '-e'] });
  await worker.allow({ type: 'subscribe' });
  const deep = '['.repeat(100_000);
  worker.say('', 'null', '[]', '{}', '\xff', '7', '"x"', deep, { type: 'news' }, { type: [] },
    { type: 'message', topic: 7 }, { type: 'done' }, { type: 'reply', id: 99, from: 'a/1' },
    { type: 'done', id: 99 }, { type: 'ok', id: 99 }, { type: 'request' }, { type: 'set' }, { type: 'erased' },
    { type: 'error', id: null, code: 'too-many', reason: '1,001 patterns' },
    `{"type":"message","data":${deep}${']'.repeat(100_000)}}`,
    { type: 'message', topic: 'a', from: 'web/1', data: 'good', new: 1 });
  const lines = [];
  while (lines.at(-1) !== 'good')
    lines.push(await worker.print());
  assert(lines.includes('the bus has refused something: too-many: 1,001 patterns'), String(lines));
  assert.strictEqual(await worker.ended, 0);
});

test('what a handler throws is the program\'s, and the next line is read', async () => {
  const worker = await Worker.welcomed(`
    process.on('uncaughtException', (error) => console.log(error.message));
    bus.subscribe('a', ({ data }) => { if (data === 0) throw new Error('zero'); console.log(data); });
    bus.ref();`);
  await worker.allow({ type: 'subscribe' });
  worker.say(...[0, 1].map((data) => ({ type: 'message', topic: 'a', from: 'web/1', data })));
  assert.deepStrictEqual([await worker.print(), await worker.print()].sort(), ['1', 'zero']);
  worker.process.kill();
});

test('a pattern is subscribed to once, and left with the last', async () => {
  const worker = await Worker.welcomed(`
    const first = bus.subscribe('a', () => {}), second = bus.subscribe('a');
    first.close();
    (async () => {
      for await (const { data } of second) { console.log(data); break; }
      first.close();
    })();
    bus.ref();`);
  await worker.allow({ type: 'subscribe', pattern: 'a' });
  worker.say({ type: 'message', topic: 'a', from: 'web/1', data: 1 });
  await worker.hear({ type: 'unsubscribe', pattern: 'a' });
  assert.strictEqual(await worker.print(), '1');
  worker.process.kill();
});

test('a request brings all answers and who is missing, and keeps the program alive until then', async () => {
  const worker = await Worker.welcomed(`
    bus.request('stats', { a: 1 }, { timeout: 1000, max: 3, pool: 'api' }).then((all) => console.log(JSON.stringify(all)));`);
  const { id } = await worker.hear({ type: 'request', topic: 'stats', pool: 'api', timeout_ms: 1000, max: 3, data: { a: 1 } });
  worker.say({ type: 'reply', id, from: 'api/1', data: 5 }, { type: 'reply', id, from: 'api/2', error: 'no' },
    { type: 'done', id, replies: 2, missing: ['api/3'] });
  assert.strictEqual(await worker.print(), '{"replies":[{"from":"api/1","data":5},{"from":"api/2","error":"no"}],"missing":["api/3"]}');
  assert.strictEqual(await worker.ended, 0);
});

test('requests are answered by what is returned, thrown or not there', async () => {
  const worker = await Worker.welcomed(`
    bus.respond('double.*', async ({ data }) => { if (data === 0) throw new Error('zero'); return data * 2; });
    bus.respond('half', () => { throw new Error('x'.repeat(999) + '\\u{1f600}'); });
    bus.respond('circle', () => { const value = {}; value.value = value; return value; });
    bus.ref();`);
  await worker.allow({ type: 'subscribe', pattern: 'double.*' });
  await worker.allow({ type: 'subscribe', pattern: 'half' });
  await worker.allow({ type: 'subscribe', pattern: 'circle' });
  const ask = (topic, data) => {
    worker.say({ type: 'request', id: 'q', topic, from: 'web/1', timeout_ms: 1000, data });
    return worker.hear({ type: 'reply', id: 'q' });
  };
  assert.strictEqual((await ask('double.a', 5)).data, 10);
  assert.strictEqual((await ask('double.a', 0)).error, 'zero');
  assert.strictEqual((await ask('other', 0)).error, 'nobody here answers other');
  assert.match((await ask('circle', 0)).error, /circular/);
  assert.strictEqual((await ask('half', 0)).error, `${'x'.repeat(999)}\ufffd`);
  worker.process.kill();
});

test('whoever is to stop being leader says so when it has stopped', async () => {
  const worker = await Worker.welcomed(`
    usher.on('leader', async (isLeader) => {
      console.log(isLeader, usher.isLeader);
      if (!isLeader)
        await new Promise((resolve) => bus.once('message', resolve));
    });
    bus.ref();`);
  await worker.hear({ type: 'campaign' });
  worker.say({ type: 'leader', is: false }, { type: 'leader', is: true }, { type: 'leader', is: false });
  assert.strictEqual(await worker.print(), 'true false'); // the news is as new as it can be
  assert.strictEqual(await worker.print(), 'false false');
  worker.say({ type: 'request', id: 1, topic: 'a', from: 'web/1', timeout_ms: 1000, data: 1 });
  await worker.hear({ type: 'reply', id: 1 });
  worker.say({ type: 'message', from: 'usher', data: 'go on' });
  await worker.hear({ type: 'resign' });
  worker.process.kill();
});

test('who listens to \'leader\' when this worker leads is told so, once', async () => {
  const worker = await Worker.welcomed(`
    usher.once('leader', (isLeader) => {
      console.log('early', isLeader);
      usher.on('leader', (isLeader) => console.log('late', isLeader));
      usher.once('leader', (isLeader) => console.log('once', isLeader));
    });
    bus.ref();`);
  await worker.hear({ type: 'campaign' });
  worker.say({ type: 'leader', is: true });
  for (const line of ['early true', 'late true', 'once true'])
    assert.strictEqual(await worker.print(), line);
  worker.say({ type: 'leader', is: false });
  assert.strictEqual(await worker.print(), 'late false');
  for (const type of ['campaign', 'campaign', 'resign'])
    await worker.hear({ type });
  worker.process.kill();
});

test('who has resigned does not lead by what was on its way', async () => {
  const worker = await Worker.welcomed(`
    usher.on('leader', (isLeader) => console.log(isLeader));
    bus.resign();
    bus.campaign();
    bus.subscribe('a', () => console.log('a', usher.isLeader)).ready.then(() => console.log('ready'));
    bus.ref();`);
  await worker.hear({ type: 'campaign' });
  const { id } = await worker.hear({ type: 'resign' });
  await worker.hear({ type: 'campaign' });
  await worker.allow({ type: 'subscribe' });
  assert.strictEqual(await worker.print(), 'ready');
  worker.say({ type: 'leader', is: true }, { type: 'ok', id }, { type: 'message', topic: 'a', from: 'web/1', data: 1 });
  worker.say({ type: 'leader', is: true });
  assert.strictEqual(await worker.print(), 'a false');
  assert.strictEqual(await worker.print(), 'true');
  worker.process.kill();
});

test('a leader that stops resigns once, and not before all have stopped', async () => {
  const worker = await Worker.welcomed(`
    process.on('uncaughtException', (error) => console.log(error.message));
    usher.on('leader', (isLeader) => {
      if (!isLeader)
        throw new Error('of the first');
    });
    usher.on('leader', async (isLeader) => {
      if (isLeader) {
        setImmediate(() => bus.resign());
        return;
      }
      console.log('stopping');
      bus.resign();
      bus.campaign();
      bus.publish('a', 1);
      await new Promise((resolve) => bus.once('message', resolve));
    });
    bus.ref();`);
  await worker.hear({ type: 'campaign' });
  await worker.hear({ type: 'campaign' });
  worker.say({ type: 'leader', is: true });
  assert.strictEqual(await worker.print(), 'stopping');
  await worker.hear({ type: 'publish' }); // and nothing before it
  worker.say({ type: 'leader', is: true }, { type: 'message', from: 'usher', data: 'go on' });
  await worker.hear({ type: 'resign' });
  await worker.hear({ type: 'campaign' });
  assert.strictEqual(await worker.print(), 'of the first');
  worker.process.kill();
});

test('when the master is gone what waits fails, and the rest goes on', async () => {
  const worker = await Worker.welcomed(`
    (async () => {
      usher.on('leader', (isLeader) => console.log('leader', isLeader));
      const inbox = bus.subscribe('a');
      await inbox.ready;
      const asking = bus.request('a').catch((error) => console.log(error.code));
      for await (const message of inbox) {}
      await asking;
      console.log(bus.isClosed, bus.publish('a', 1));
      await bus.publish('a', 1, { wait: true }).catch((error) => console.log(error.code));
      for await (const change of bus.watch('')) {}
      console.log('serves on');
    })();`);
  await worker.hear({ type: 'campaign' });
  worker.say({ type: 'leader', is: true });
  await worker.allow({ type: 'subscribe' });
  await worker.hear({ type: 'request' });
  worker.bus.destroy();
  const lines = [];
  while (lines.at(-1) !== 'serves on')
    lines.push(await worker.print());
  assert.deepStrictEqual(lines.sort(), ['closed', 'closed', 'leader false', 'leader true', 'serves on', 'true undefined']);
  assert.strictEqual(await worker.ended, 0);
});

test('what is not taken loses the oldest, and is told', async () => {
  const worker = await Worker.welcomed(`
    let told = 0;
    usher.on('lost', (count) => { told += count; });
    const inbox = bus.subscribe('a');
    bus.once('message', async () => {
      for await (const { data } of inbox) { console.log(data, told, bus.lost); process.exit(); }
    });
    bus.ref();`);
  await worker.allow({ type: 'subscribe' });
  for (let data = 0; data < 10_001; data++)
    worker.say({ type: 'message', topic: 'a', from: 'web/1', data });
  worker.say({ type: 'lost', count: 10 }, { type: 'message', from: 'web/1', data: 'now' });
  assert.strictEqual(await worker.print(), '1000 1010 1010');
});

test('what cannot be sent is refused where it is said', async () => {
  const worker = await Worker.welcomed(`
    const deep = (depth) => { let value = []; for (let i = 0; i < depth; i++) value = [value]; return value; };
    for (const call of [() => bus.publish('a b'), () => bus.publish('a.*'), () => bus.publish('a.'.repeat(32) + 'a'),
        () => bus.publish('a'.repeat(256)), () => bus.subscribe('a.>.b'), () => bus.subscribe('a*'), () => bus.publish(7),
        () => bus.publish('a', 'ä'.repeat(32768)), () => bus.publish('a', 1n), () => bus.publish('a', () => {}),
        () => bus.publish('a', deep(100000)), () => bus.publish('a', deep(63)), () => bus.send('a', 1, { slot: NaN }), () => bus.publish('usher.x'), () => bus.send('usher', 1), () => bus.subscribe('a', 7), () => bus.respond('a')])
      try { console.log('none: ' + call); call(); } catch (error) { console.log(error.name); }
    bus.publish('a', 'ä'.repeat(32767));
    bus.publish('b', ['['.repeat(100), '\\\\"[', Array(100).fill([]), deep(61)]);`);
  for (const name of [...Array(7).fill('TypeError'), 'RangeError', 'TypeError', 'TypeError', 'RangeError', 'RangeError', 'RangeError', ...Array(4).fill('TypeError')]) {
    const call = await worker.print();
    assert.strictEqual(await worker.print(), name, call);
  }
  assert.strictEqual((await worker.hear({ type: 'publish' })).data.length, 32767);
  assert.strictEqual((await worker.hear({ type: 'publish', topic: 'b' })).data[1], '\\"[');
  assert.strictEqual(await worker.ended, 0); // the bus alone keeps nobody
});

test('a pattern that was refused can be tried again', async () => {
  const worker = await Worker.welcomed(`
    (async () => {
      const first = bus.subscribe('a', () => {});
      await first.ready.catch(({ code }) => console.log(code));
      first.close();
      await bus.subscribe('a', ({ data }) => console.log(data)).ready;
    })();
    bus.ref();`);
  const { id } = await worker.hear({ type: 'subscribe', pattern: 'a' });
  worker.say({ type: 'error', id, code: 'too-many', reason: 'it has 1000 patterns already' });
  assert.strictEqual(await worker.print(), 'too-many');
  worker.say({ type: 'ok', id: (await worker.hear({ type: 'subscribe', pattern: 'a' })).id });
  worker.say({ type: 'message', topic: 'a', from: 'web/1', data: 'heard' });
  assert.strictEqual(await worker.print(), 'heard');
  worker.process.kill();
});

test('what is no number is refused, not left out', async () => {
  const worker = await withStore(`
    const calls = [() => store.put('k', 1, { ttl: NaN }), () => store.put('k', 1, { ttl: Infinity }),
      () => store.put('k', 1, { expected: NaN }), () => store.put('k', 1, { expected: '0' }), () => store.erase('k', { expected: NaN }),
      () => store.increment('k', { by: NaN }), () => store.increment('k', { by: 1n }), () => store.increment('k', { ttl: -Infinity }),
      () => bus.request('q', 1, { timeout: Infinity }), () => bus.request('q', 1, { timeout: NaN }), () => bus.request('q', 1, { max: NaN }),
      () => bus.request('q', 1, { slot: NaN })];
    for (const call of calls)
      await call().then(() => console.log('none: ' + call), (error) => console.log(error.name));
    store.put('k', 1, { ttl: null });`);
  for (let i = 0; i < 12; i++)
    assert.strictEqual(await worker.print(), 'RangeError');
  const { id } = await worker.hear({ type: 'put', key: 'k' });
  worker.say({ type: 'ok', id, revision: 10 });
  assert.strictEqual(await worker.ended, 0);
});

test('half a character is refused where it is said, and a backslash is none', async () => {
  const worker = await withStore(`
    for (const call of [() => store.put('\\ud800', 1), () => store.put('k', ['a\\\\\\udfff']), () => store.increment('\\udc00')])
      await call().catch((error) => console.log(error.name));
    store.put('\\ud83d\\ude00', '\\\\ud800');`);
  for (let i = 0; i < 3; i++)
    assert.strictEqual(await worker.print(), 'TypeError');
  const { id, key, value } = await worker.hear({ type: 'put' });
  worker.say({ type: 'ok', id, revision: 10 });
  assert.strictEqual(key, '\u{1f600}');
  assert.strictEqual(value, '\\ud800');
});

test('what one turn says goes as one, and nothing is lost at the end', async () => {
  const worker = await Worker.welcomed(`
    const { Socket } = require('net'), { write } = Socket.prototype;
    let count = 0;
    Socket.prototype.write = function (text, ...more) { count += /publish/.test(text); return write.call(this, text, ...more); };
    for (let i = 0; i < 100; i++)
      bus.publish('a', i);
    setImmediate(() => setImmediate(() => {
      bus.publish('count', count);
      process.exit();
    }));`);
  for (let data = 0; data < 100; data++)
    await worker.hear({ type: 'publish', topic: 'a', data });
  await worker.hear({ type: 'publish', topic: 'count', data: 1 });
});

test('a descriptor that is no bus is refused', async () => {
  for (const variables of [{ USHER_BUS_FD: '123' }, { USHER_BUS_FD: '0' }, { USHER_BUS_FD: undefined, USHER_SLOT: '1' }]) {
    const worker = new Worker(`try { bus.publish('a'); } catch (error) { console.log(error.message); }`, { variables });
    assert.match(await worker.print(), /^USHER_BUS_FD (names descriptor \d+, which is no socket|is not set although USHER_SLOT is)/);
  }
});

test('reading the store is local, and what is read is frozen', async () => {
  const worker = await withStore(`
    console.log(JSON.stringify([store.get('a'), store.get('c'), store.has('b'), store.keys(), store.keys('b'), store.revision('b'), store.revision('c')]));
    const own = store.watch('a', ({ key }) => { own.close(); console.log(key, Object.isFrozen(store.get('a').x)); });`, ['a', { x: [1] }, 1], ['b', 0, 2]);
  assert.strictEqual(await worker.print(), '[{"x":[1]},null,true,["a","b"],["b"],2,0]');
  assert.strictEqual(await worker.print(), 'a true');
});

test('a change is in the copy when its promise is fulfilled', async () => {
  const worker = await withStore(`
    console.log(await store.put('a', [1], { ttl: 1500, expected: 0 }), store.get('a'));
    console.log(await store.increment('n', { by: 5, ttl: 60_000 }), store.get('n'));
    await store.erase('a');
    console.log(store.get('a'));
    try { await store.put('a', 1, { expected: 1 }); } catch (error) { console.log(error instanceof usher.BusError, error.code, error.revision); }`);
  let { id } = await worker.hear({ type: 'put', key: 'a', value: [1], ttl_ms: 1500, expected: 0 });
  worker.say({ type: 'set', key: 'a', value: [1], revision: 10 }, { type: 'ok', id, revision: 10 });
  assert.strictEqual(await worker.print(), '10 [ 1 ]');
  ({ id } = await worker.hear({ type: 'increment', key: 'n', by: 5, ttl_ms: 60_000 }));
  worker.say({ type: 'set', key: 'n', value: 5, revision: 11 }, { type: 'ok', id, revision: 11, value: 5 });
  assert.strictEqual(await worker.print(), '5 5');
  ({ id } = await worker.hear({ type: 'erase', key: 'a' }));
  worker.say({ type: 'erased', key: 'a', revision: 12 }, { type: 'ok', id, revision: 12 });
  assert.strictEqual(await worker.print(), 'undefined');
  ({ id } = await worker.hear({ type: 'put' }));
  worker.say({ type: 'error', id, code: 'conflict', reason: 'has another', revision: 4 });
  assert.strictEqual(await worker.print(), 'true conflict 4');
});

test('an update begins anew from what another has written', async () => {
  const worker = await withStore(`console.log(await store.update('a', (value) => [...value, 9]));`, ['a', [1], 3]);
  let { id } = await worker.hear({ type: 'put', value: [1, 9], expected: 3 });
  worker.say({ type: 'error', id, code: 'conflict', reason: '', revision: 10 });
  ({ id } = await worker.hear({ type: 'get', key: 'a' }));
  worker.say({ type: 'ok', id, value: [2], revision: 10 });
  ({ id } = await worker.hear({ type: 'put', value: [2, 9], expected: 10 }));
  worker.say({ type: 'ok', id, revision: 11 });
  assert.strictEqual(await worker.print(), '[ 2, 9 ]');
});

test('a watch says what is there, then what changes, and a new copy replaces the old one', async () => {
  const worker = await withStore(`
    const tell = ({ key, value, revision, erased, expired }) => console.log(JSON.stringify([key, value, revision, erased, expired]));
    store.watch('flag.', tell);
    bus.on('message', () => console.log(String(store.keys())));
    bus.ref();`, ['flag.a', 1, 1], ['other', 1, 2], ['flag.same', 1, 3]);
  const told = async (...lines) => {
    for (const line of lines)
      assert.strictEqual(await worker.print(), line);
  };
  await told('["flag.a",1,1,false,false]', '["flag.same",1,3,false,false]');
  worker.say({ type: 'set', key: 'other', value: 2, revision: 10 }, { type: 'set', key: 'flag.b', value: 2, revision: 11 },
    { type: 'erased', key: 'flag.a', revision: 12, expired: true });
  await told('["flag.b",2,11,false,false]', '["flag.a",null,12,true,true]');
  worker.say({ type: 'snapshot', revision: 20, keys: 3 },
    { type: 'set', key: 'flag.new', value: 3, revision: 21 }, { type: 'erased', key: 'flag.late', revision: 22 },
    { type: 'set', key: 'flag.new', value: 2, revision: 15 }, { type: 'set', key: 'flag.same', value: 1, revision: 3 },
    { type: 'set', key: 'flag.late', value: 1, revision: 16 }, { type: 'message', data: 1 });
  await told('flag.b,flag.same,other'); // the old one, until then
  worker.say({ type: 'synced', revision: 22 }, { type: 'message', data: 1 });
  await told('["flag.b",null,22,true,false]', '["flag.new",3,21,false,false]', 'flag.new,flag.same');
  worker.process.kill();
});

test('without usher it is a bus of one', async () => {
  const worker = new Worker(`
    (async () => {
      const got = [];
      bus.subscribe('a', ({ data, from }) => got.push(data + from));
      bus.respond('q', ({ data }) => data + 1);
      usher.on('leader', (isLeader) => got.push(isLeader));
      const store = await usher.store();
      await store.put('t', 1, { ttl: 10 });
      await store.put('n', 1);
      await store.put('n', 2, { expected: 0 }).catch((error) => got.push(error.revision));
      await store.put('long', 1, { ttl: 30 * 86_400_000 }); // more than a timer can
      const { replies } = await bus.request('q', 1, { slot: 1 });
      got.push(await bus.publish('a', 1, { wait: true }), await bus.publish('b', 1, { wait: true }), replies[0].data,
        (await bus.request('q')).replies.length, await store.increment('n'), await store.update('n', (n) => n * 10));
      const gone = store.has('t') ? await new Promise((resolve) => {
        const timer = setInterval(() => {}, 1000); // the store keeps nobody alive
        store.watch('t', ({ expired }) => expired && (clearInterval(timer), resolve(true)));
      }) : true;
      console.log(JSON.stringify(got), gone, store.has('long'), usher.isLeader);
    })();`, { variables: { USHER_BUS_FD: undefined } });
  assert.strictEqual(await worker.print(), '[true,2,"1alone/1",1,0,2,0,2,20] true true true');
  assert.strictEqual(await worker.ended, 0);
});

for (const { name, command } of others) {
  test(`${name} runs it as it is`, { skip: !command && `${name} is not there` }, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-node-'));
    try {
      const file = path.join(folder, 'worker.cjs');
      fs.writeFileSync(file, `
        const usher = require(${JSON.stringify(path.join(library, 'usher.js'))}), { bus } = usher;
        const long = 'ä'.repeat(30_000);
        bus.subscribe('a', ({ data }) => console.log(data.length));
        usher.store().then(async (store) => {
          console.log(await store.increment('n'), usher.isLeader);
          for (let i = 0; i < 50; i++)
            bus.publish('b', long);
          const { replies } = await bus.request('q');
          console.log(replies[0].data);
        });`);
      const worker = await Worker.welcomed('', { command, arguments: [file], variables: { HOME: folder } });
      await worker.allow({ type: 'subscribe' });
      await worker.hear({ type: 'sync' });
      worker.say({ type: 'message', topic: 'a', from: 'x/1', data: 'ä'.repeat(30_000) }, { type: 'snapshot', revision: 0, keys: 0 },
        { type: 'synced', revision: 0 });
      assert.strictEqual(await worker.print(), '30000');
      let { id } = await worker.hear({ type: 'increment', by: 1 });
      worker.say({ type: 'ok', id, revision: 1, value: 1 });
      assert.strictEqual(await worker.print(), '1 false');
      for (let i = 0; i < 50; i++)
        assert.strictEqual((await worker.hear({ type: 'publish', topic: 'b' })).data.length, 30_000);
      ({ id } = await worker.hear({ type: 'request', topic: 'q' }));
      worker.say({ type: 'reply', id, from: 'x/1', data: 'answer' }, { type: 'done', id, replies: 1, missing: [] });
      assert.strictEqual(await worker.print(), 'answer');
      assert.strictEqual(await worker.ended, 0); // the bus alone keeps nobody
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
}

test('modules import it by its names', async () => {
  const worker = await Worker.welcomed(`
    import(${JSON.stringify(path.join(library, 'usher.js'))}).then(({ bus: theirs, store, BusError, on, once, off, default: all }) =>
      console.log(theirs === bus, all === usher, [store, BusError, on, once, off].every((each) => typeof each === 'function')));
    bus.publish('a');`);
  assert.strictEqual(await worker.print(), 'true true true');
});

test('its types are those that it has', { timeout: PATIENCE, skip: !fs.existsSync(typescript) && 'TypeScript is not there' }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-types-'));
  try {
    fs.mkdirSync(path.join(folder, 'node_modules'));
    fs.symlinkSync(library, path.join(folder, 'node_modules/usher'));
    const body = `
      bus.subscribe<{ id: number }>('cache.*', ({ topic, data, from }) => [topic, data.id.toFixed(), from.length]);
      const nothing: void = bus.publish('a', 1);
      const count: Promise<number> = bus.publish('a', 1, { wait: true });
      const others: Promise<number> = bus.send(null, 1, { pool: 'web', wait: true });
      bus.respond('q', async ({ data, timeout }) => data * timeout).close();
      usher.on('leader', async (isLeader: boolean) => isLeader || usher.isLeader);
      bus.on('lost', (count) => count.toFixed()).once('message', ({ from }) => from.length).off('close', () => {});
      async function main(): Promise<void> {
        const { replies, missing } = await bus.request<number>('q', null, { timeout: 1, max: 1, pool: 'web', slot: 1 });
        const sum: number | undefined = replies[0].data, error: string | undefined = replies[0].error;
        for await (const { data } of bus.subscribe<string>('a'))
          data.toUpperCase();
        const store: usher.Store = await usher.store();
        const old: number | undefined = store.get<number>('k');
        const flags: string[] = await store.update<string[]>('k', (value = []) => [...value, 'x'], { ttl: 1 });
        const revision: number = await store.put('k', { a: [1] }, { expected: store.revision('k') });
        const all: number = await store.increment('n', { by: 2, ttl: 1 });
        store.watch<boolean>('flag.', ({ key, value, erased }) => erased || value === true || key);
        try { await store.erase('k'); } catch (problem) { if (problem instanceof usher.BusError) problem.code.length; }
        missing.concat(String([nothing, count, others, sum, error, old, flags, revision, all, (await bus.identity()).name]));
      }
      main();`;
    fs.writeFileSync(path.join(folder, 'module.mts'), `import usher, { bus } from 'usher';${body}`);
    fs.writeFileSync(path.join(folder, 'common.cts'), `import usher = require('usher'); import { bus } from 'usher';${body}`);
    fs.writeFileSync(path.join(folder, 'wrong.mts'), `import { bus } from 'usher';
      // @ts-expect-error: there is no such name
      bus.announce('a');
      // @ts-expect-error: without \`wait\` there is nothing to wait for
      bus.publish('a', 1).then();`);
    const { error, stdout } = await new Promise((resolve) => execFile(process.execPath, [typescript, '--strict', '--noEmit',
      '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022', 'module.mts', 'common.cts', 'wrong.mts'],
    { cwd: folder }, (error, stdout) => resolve({ error, stdout })));
    assert.strictEqual(stdout, '');
    assert.strictEqual(error, null);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('it has the version of the project', { skip: !process.env.USHER_TEST_VERSION }, () => {
  assert.strictEqual(require(path.join(library, 'package.json')).version, process.env.USHER_TEST_VERSION);
});
