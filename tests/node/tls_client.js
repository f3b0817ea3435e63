// Resumes one TLS session on connection after connection, for the tests: `node tls_client.js PORT
// COUNT`.  Prints how many were resumed, and how many workers answered.
'use strict';
const tls = require('tls');

const [port, count] = process.argv.slice(2).map(Number);
const slots = new Set();
let session;
let resumed = 0;

function connect(left) {
  if (left === 0) {
    console.log(`resumed ${resumed}, workers ${slots.size}`);
    return;
  }
  const socket = tls.connect({port, host: '127.0.0.1', rejectUnauthorized: false, session}, () => {
    resumed += socket.isSessionReused() ? 1 : 0;
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  });
  let text = '';
  socket.on('session', (ticket) => { session = ticket; });
  socket.on('data', (part) => { text += part; });
  socket.on('end', () => {
    slots.add(/X-Slot: (\d+)/.exec(text)[1]);
    connect(left - 1);
  });
}

connect(count);
