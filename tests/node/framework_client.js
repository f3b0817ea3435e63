// Talks to workers of framework_worker.js, for the tests:
//
//     node framework_client.js WHAT PORT COUNT
//
// COUNT connections one after the other, each with short and long texts that have to come back.
// Prints how many were good, and how many workers were spoken to.
'use strict';
const http = require('http');
const http2 = require('http2');
const https = require('https');
const {once} = require('events');

const [what, port, count] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const texts = ['short', 'long'.repeat(100_000)];

async function text_of(stream) {
  let text = '';
  for await (const part of stream.setEncoding('utf8'))
    text += part;
  return text;
}

/// Posts all texts on one kept connection.
async function ask_http(library) {
  const agent = new library.Agent({keepAlive: true, maxSockets: 1});
  const answers = [];
  let slot;
  for (const text of texts) {
    const request = library.request({
      agent,
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/echo',
      headers: {'Content-Type': 'text/x-echo'},
      rejectUnauthorized: false,
    });
    request.end(text);
    const [response] = await once(request, 'response');
    slot = response.headers['x-slot'];
    answers.push(await text_of(response));
  }
  agent.destroy();
  return {slot, answers};
}

/// Posts all texts at once.
async function ask_http2() {
  const session = http2.connect(`https://127.0.0.1:${port}`, {rejectUnauthorized: false});
  const slots = new Set();
  const answers = await Promise.all(texts.map(async (text) => {
    const stream = session.request({':method': 'POST', ':path': '/echo'});
    stream.end(text);
    const [headers] = await once(stream, 'response');
    slots.add(headers['x-slot']);
    return text_of(stream);
  }));
  session.close();
  return {slot: [...slots].join('?'), answers};
}

async function ask_ws() {
  const {WebSocket} = require('ws');
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  let slot;
  socket.on('upgrade', (response) => { slot = response.headers['x-slot']; });
  await once(socket, 'open');
  const answers = [];
  for (const text of texts) {
    socket.send(text);
    answers.push(String((await once(socket, 'message'))[0]));
  }
  socket.close();
  await once(socket, 'close');
  return {slot, answers};
}

async function ask_socket_io() {
  const {io} = require('socket.io-client');
  const socket = io(`http://127.0.0.1:${port}`, {transports: ['websocket'], forceNew: true});
  const answers = [];
  let slot;
  for (const text of texts) {
    const answer = await socket.timeout(20_000).emitWithAck('echo', text);
    slot = answer.slot;
    answers.push(answer.text);
  }
  socket.disconnect();
  return {slot, answers};
}

const ask = {
  'express': () => ask_http(http),
  'fastify': () => ask_http(http),
  'http2': ask_http2,
  'https': () => ask_http(https),
  'socket.io': ask_socket_io,
  'ws': ask_ws,
}[what];

(async () => {
  const slots = new Set();
  let good = 0;
  for (let i = 0; i < count; ++i) {
    const {slot, answers} = await ask();
    slots.add(slot);
    good += answers.length === texts.length && answers.every((text, n) => text === texts[n]);
  }
  console.log(`good ${good}, workers ${slots.size}`);
})();
