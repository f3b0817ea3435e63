// SPDX-License-Identifier: MIT
//
// As app.py, for a worker of Node's cluster.
'use strict';
const cluster = require('cluster');
const http = require('http');
const usher = require('usher');

const { bus } = usher;
const all = Number(process.env.TEST_ALL);
const heard = new Set();

async function main() {
  const store = await usher.store();
  const { name } = await bus.identity();
  usher.on('leader', (isLeader) => console.log('leader', isLeader ? 'True' : 'False', name));
  bus.on('lost', () => console.log(`some lost, ${name}`));
  bus.subscribe('flood', () => {});
  bus.subscribe('hello.*', ({ from }) => {
    heard.add(from);
    if (heard.size === all)
      console.log(`all heard, ${name}`);
  });
  bus.respond('who', () => name);
  store.watch('here', async ({ value }) => {
    if (value !== all)
      return;
    console.log(`all here, ${name} ${process.pid} ${cluster.worker?.id ?? 'alone'}`);
    bus.publish(`hello.${name.replace('/', '-')}`);
    const { replies } = await bus.request('who', null, { timeout: 60_000 });
    if (new Set(replies.map(({ data }) => data)).size === all - 1)
      console.log(`all have answered, ${name}`);
  });
  await store.increment('here');
  http.createServer((request, response) => response.end('hello\n')).listen(0, '127.0.0.1');
}

main();
