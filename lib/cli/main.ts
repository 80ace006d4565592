#!/usr/bin/env node
/** The command line: `nestjs-grpc-discovery COMMAND`. */
import { ETCD_USAGE, runEtcd } from './etcd-command.js';

const USAGE = `nestjs-grpc-discovery COMMAND

Commands:
${ETCD_USAGE}`;

const [command, ...args] = process.argv.slice(2);
switch (command) {
  case 'etcd':
    process.exitCode = await runEtcd(args);
    break;
  case undefined:
  case 'help':
  case '--help':
    process.stdout.write(`${USAGE}\n`);
    break;
  default:
    process.stderr.write(`unknown command ${JSON.stringify(command)}\n\n${USAGE}\n`);
    process.exitCode = 2;
}
