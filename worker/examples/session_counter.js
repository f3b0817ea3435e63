// SPDX-License-Identifier: MIT
//
// Counts the visits of each session, and the sessions there are, across all workers.
//
//     usher run -- node session_counter.js 8000
//
// How many sessions there are is read from this worker's own copy of the store, which costs nothing.
'use strict';
const crypto = require('crypto');
const http = require('http');
const usher = require('usher');

const seconds = 30 * 60;

async function main() {
  const store = await usher.store();
  http.createServer(async (request, response) => {
    const known = /\bsession=([\w-]{22})(?:;|$)/.exec(request.headers.cookie ?? '');
    const session = known?.[1] ?? crypto.randomBytes(16).toString('base64url');
    const visits = await store.update(`session.${session}`, (count = 0) => count + 1, { ttl: seconds * 1000 });
    response.setHeader('Set-Cookie', `session=${session}; HttpOnly; Max-Age=${seconds}`);
    response.end(`visit ${visits}, ${store.keys('session.').length} sessions\n`);
  }).listen(process.argv[2], '127.0.0.1');
}

main();
