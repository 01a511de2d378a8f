/** The dedicated worker: spool, uploader and heartbeat. The page only captures and shows. */
import { troubleOf } from './failure';
import { Host } from './host';
import type { FromWorker, ToWorker } from './spool-protocol';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const host = new Host((message: FromWorker) => scope.postMessage(message));

scope.onmessage = (event: MessageEvent<ToWorker>) => host.handle(event.data);
scope.addEventListener('unhandledrejection', (event) => {
  scope.postMessage({ type: 'problem', problem: troubleOf('unexpected', event.reason) } satisfies FromWorker);
});
