// A consumer of egress_ended as LiveKit's users write it, with the receiver of LiveKit's Node SDK. It prints the URL at
// which it listens, and then a line of JSON for each request: what it was told, or why it did not take it.
import { createServer } from 'node:http';
import { webcrypto } from 'node:crypto';

import { WebhookReceiver } from 'livekit-server-sdk';

globalThis.crypto ??= webcrypto; // Node 18, as Debian 12 has it, does not make it global, and the SDK wants it.

const { LIVEKIT_API_KEY: key, LIVEKIT_API_SECRET: secret } = process.env;
if (!key || !secret) {
  console.error('usage: LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=… node consumer.mjs');
  process.exit(2);
}
const receiver = new WebhookReceiver(key, secret);

const server = createServer(async (req, res) => {
  let body = '';
  for await (const chunk of req) body += chunk;
  try {
    const { event, id, egressInfo: info } = await receiver.receive(body, req.headers.authorization);
    console.log(JSON.stringify({ event, id, egress_id: info.egressId, status: info.status, ended_at: String(info.endedAt), verdict: req.headers['x-reelkeeper-verdict'] }));
    res.end();
  } catch (err) {
    console.log(JSON.stringify({ error: String(err) }));
    res.writeHead(401).end();
  }
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
