// The hello worker under Node's cluster with its default policy, round robin.
//
//     node node_cluster.js PORT WORKERS
'use strict';

const cluster = require('node:cluster');
const http = require('node:http');

const [port, workers] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
    for (let i = 0; i < workers; i++) cluster.fork();
} else {
    const body = 'Hello, World!\n';
    http.createServer((request, response) => {
        response.writeHead(200, {
            'Content-Type': 'text/plain',
            'Content-Length': body.length,
            'X-Pid': process.pid,
            'X-Slot': cluster.worker.id,
        });
        response.end(body);
    }).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
