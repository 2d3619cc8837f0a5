// Stands in for Fluentd behind Docker's real driver: speaks its protocol, acknowledges, and writes down what it got.
// It interprets nothing of its configuration; that is what test/harness/fluentd does.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { FluentServer } from '@fluent-org/logger';

const [, , option, configuration] = process.argv;
if (option !== '-c') throw new Error('the configuration is missing');
readFileSync(configuration);
// As the real one does when it evaluates its configuration and looks at its folders.
readFileSync('/run/secrets/fluentd_password');
appendFileSync('/fluentd/buffer/stand-in', '');

const server = new FluentServer({ listenOptions: { port: 24224 } });
server.on('entry', (tag, _, record) => {
  appendFileSync('/fluentd/archive/stand-in.ndjson', `${JSON.stringify({ tag, record })}\n`);
});
await server.listen();

createServer((request, response) => {
  const plugins = [
    { plugin_id: 'elastic-app', output_plugin: true, buffer_available_buffer_space_ratios: 100 },
  ];
  response.statusCode = request.url === '/api/plugins.json' ? 200 : 404;
  response.end(JSON.stringify({ plugins }));
}).listen(24220, '127.0.0.1');

process.on('SIGTERM', () => process.exit(0));
