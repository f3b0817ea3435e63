// SPDX-License-Identifier: MIT
//
// A switch that all workers see: POST /on, POST /off.
//
//     usher run -- node feature_flag.js 8000
//
// From outside: usher store put flag.greeting true
'use strict';
const http = require('http');
const usher = require('usher');

let greeting = 'Hello!';

async function main() {
  const store = await usher.store();
  // Called with what there is, and whenever somebody changes it.
  store.watch('flag.greeting', ({ value }) => { greeting = value ? 'Good day to you!' : 'Hello!'; });
  http.createServer(async (request, response) => {
    if (request.method === 'POST') {
      await store.put('flag.greeting', request.url === '/on');
      response.writeHead(204).end();
    } else {
      response.end(`${greeting}\n`);
    }
  }).listen(process.argv[2], '127.0.0.1');
}

main();
