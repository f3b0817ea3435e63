// The hello server under Node's cluster with its default policy, round robin.
//
//     node node_cluster.js PORT WORKERS
'use strict';

const cluster = require('node:cluster');

const [port, workers] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
    for (let i = 0; i < workers; i++) cluster.fork();
} else {
    require('./node_hello').serve(cluster.worker.id)
        .listen({ port, host: '127.0.0.1', backlog: 4096 });
}
