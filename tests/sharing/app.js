// SPDX-License-Identifier: MIT
//
// As app.py, for a worker of Node's cluster.
'use strict';
const cluster = require('cluster');
const http = require('http');
const usher = require('usher');

async function main() {
  const store = await usher.store();
  const { name } = await usher.bus.identity();
  store.watch('here', ({ value }) => {
    if (value === Number(process.env.TEST_ALL))
      console.log(`all here, ${name} ${cluster.worker?.id ?? 'alone'}`);
  });
  await store.increment('here');
  http.createServer((request, response) => response.end('hello\n')).listen(0, '127.0.0.1');
}

main();
