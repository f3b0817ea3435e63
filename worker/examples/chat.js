// SPDX-License-Identifier: MIT
//
// What one client writes all others read, whichever workers they are with.
//
//     usher run -- node chat.js 8000
//     nc 127.0.0.1 8000                                   twice or more
//
// /who counts the clients: each worker is asked for its own.
'use strict';
const net = require('net');
const readline = require('readline');
const { bus } = require('usher');

const clients = new Set();

bus.subscribe('chat', ({ data }) => clients.forEach((client) => client.write(`${data}\n`)));
bus.respond('who', () => clients.size);

net.createServer((client) => {
  clients.add(client);
  client.on('close', () => clients.delete(client));
  client.on('error', () => {}); // `close` follows
  readline.createInterface({ input: client }).on('line', async (text) => {
    if (text === '/who') {
      const { replies } = await bus.request('who');
      client.write(`${replies.reduce((sum, { data }) => sum + data, clients.size)} here\n`);
    } else {
      bus.publish('chat', text);
    }
  });
}).listen(process.argv[2], '127.0.0.1');
