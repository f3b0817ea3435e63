// The hello server as anybody would write it: it knows nothing of usher, and listens on a port of
// its own.
'use strict';

require('./node_hello').serve(process.env.USHER_SLOT).listen({ port: 3000, host: '127.0.0.1' });
