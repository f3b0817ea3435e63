// SPDX-License-Identifier: MIT
//
// What worker.py does, in Node: `node worker.js NAME`.  Besides:
//
//     /fill/COUNT              writes as many keys
'use strict';
const http = require('http');
const usher = require('usher');

const { bus } = usher;
const atOnce = 500;
const slot = process.env.USHER_SLOT;
const heard = [];
const note = ({ topic, data, from }) => heard.push(`${topic ?? '-'} ${from} ${JSON.stringify(data)}`);

bus.subscribe('news.*', note);
bus.on('message', note);
usher.on('leader', (isLeader) => console.log('leader', isLeader ? 'True' : 'False'));
bus.respond('who', () => `${slot}:${process.argv[2]}`);

async function answer(store, path) {
  const [what, ...rest] = decodeURI(path.slice(1)).split('/');
  switch (what) {
    case 'publish':
      return bus.publish(rest[0], JSON.parse(rest[1]), { wait: true });
    case 'send':
      return bus.send(null, JSON.parse(rest[1]), { slot: Number(rest[0]), wait: true });
    case 'heard':
      return heard.join('\n');
    case 'ask': {
      const { replies, missing } = await bus.request('who', null, { timeout: 60_000 });
      return [...replies.map(({ data }) => data).sort(), `missing [${missing.map((each) => `'${each}'`).join(', ')}]`].join(' ');
    }
    case 'put':
      return store.put(rest[0], JSON.parse(rest[1]));
    case 'add':
      return store.increment(rest[0], { by: Number(rest[1]) });
    case 'append':
      return store.update(rest[0], (old = []) => [...old, JSON.parse(rest[1])]);
    case 'get':
      return store.has(rest[0]) ? JSON.stringify(store.get(rest[0])) : '';
    case 'size':
      return store.keys().length;
    case 'fill':
      for (let i = 0; i < Number(rest[0]); i += atOnce)
        await Promise.all(Array.from({ length: atOnce }, (_, j) => store.put(`key.${i + j}`, i + j)));
      return 'done';
    case 'lead':
      return usher.isLeader ? 'True' : 'False';
    default:
      return '?';
  }
}

async function main() {
  const store = await usher.store();
  const server = http.createServer(async (request, response) => {
    const body = String(await answer(store, request.url));
    response.writeHead(200, { 'X-Slot': slot, 'X-Pid': process.pid, 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  });
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
}

main();
