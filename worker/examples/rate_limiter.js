// SPDX-License-Identifier: MIT
//
// Ten requests a minute for each address, whichever worker they come to.
//
//     usher run -- node rate_limiter.js 8000
//
// A counter that all workers increment goes away a minute after its first request.
'use strict';
const http = require('http');
const usher = require('usher');

const most = 10;
const minute = 60_000;

async function main() {
  const store = await usher.store();
  http.createServer(async (request, response) => {
    const count = await store.increment(`rate.${request.socket.remoteAddress}`, { ttl: minute });
    response.statusCode = count <= most ? 200 : 429;
    response.end(`request ${count} of ${most}\n`);
  }).listen(process.argv[2], '127.0.0.1');
}

main();
