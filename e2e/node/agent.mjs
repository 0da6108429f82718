// An agent that records with LiveKit's Node SDK. It is given LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and a
// prefix for its rooms as the one argument. It prints a JSON array with the answer of every call it made, an error being an
// answer like any other: the same agent is sent to LiveKit and to the front door, and its reports must not differ.
import { webcrypto } from 'node:crypto';

import * as lk from 'livekit-server-sdk';

globalThis.crypto ??= webcrypto; // Node 18, as Debian 12 has it, does not make it global, and the SDK wants it.

const { LIVEKIT_URL: url, LIVEKIT_API_KEY: key, LIVEKIT_API_SECRET: secret } = process.env;
const [prefix] = process.argv.slice(2);
if (!url || !key || !secret || !prefix) {
  console.error('usage: LIVEKIT_URL=… LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=… node agent.mjs PREFIX');
  process.exit(2);
}
const egress = new lk.EgressClient(url, key, secret);
const rooms = new lk.RoomServiceClient(url, key, secret);
const call = `${prefix}-call`; // a room with alice in it, who publishes audio and video
const report = [];

// step makes one call and notes its answer, which it returns; after an error it returns undefined.
async function step(name, ask) {
  try {
    const answer = await ask();
    report.push({ step: name, ok: true, answer: plain(answer) });
    return answer;
  } catch (e) {
    report.push({ step: name, ok: false, error: { name: e.name, code: e.code, status: e.status, message: e.message } });
  }
}

// plain is an answer as JSON can have it: LiveKit's messages by their own rules, where 64-bit numbers are strings.
function plain(answer) {
  if (Array.isArray(answer)) return answer.map(plain);
  return answer?.toJson ? answer.toJson() : answer;
}

// until looks at an egress until it has come to a status, and notes the last look.
async function until(name, id, ...statuses) {
  const deadline = Date.now() + 30_000;
  const look = async () => (await egress.listEgress({ egressId: id }))[0];
  while (id && Date.now() < deadline) {
    const info = await look().catch(() => undefined);
    if (statuses.includes(info?.status)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await step(name, look);
}

const file = (filepath, storage) => new lk.EncodedFileOutput({ filepath, output: storage });
const s3 = () => ({
  case: 's3',
  value: new lk.S3Upload({ accessKey: 'AKIAEXAMPLE', secret: 'example-secret', bucket: 'recordings', region: 'eu-west-1', metadata: { team: 'a' } }),
});

// Rooms.
await step('create a room', () => rooms.createRoom({ name: call, metadata: 'of the agent', emptyTimeout: 600 }));
await step('create it again', () => rooms.createRoom({ name: call }));
await step('create an empty room', () => rooms.createRoom({ name: `${prefix}-empty`, metadata: '{"fake":{"empty":true}}' }));
await step('create a room without a name', () => rooms.createRoom({}));
await step('list rooms', () => rooms.listRooms([call, `${prefix}-empty`]));
await step('list no rooms', () => rooms.listRooms([`${prefix}-unknown`]));
const people = (await step('list participants', () => rooms.listParticipants(call))) ?? [];
await step('get a participant', () => rooms.getParticipant(call, 'alice'));
await step('get an unknown participant', () => rooms.getParticipant(call, 'nobody'));
await step('update room metadata', () => rooms.updateRoomMetadata(call, 'new'));
const track = (type) => people[0]?.tracks.find((t) => t.type === type)?.sid ?? 'TR_missing';
const [audio, video] = [track(lk.TrackType.AUDIO), track(lk.TrackType.VIDEO)];

// Every kind of start.
const composite = await step('start a room composite', () =>
  egress.startRoomCompositeEgress(call, { file: file(`{room_name}-{time}.mp4`) }, { layout: 'speaker', encodingOptions: lk.EncodingOptionsPreset.H264_1080P_30 }));
const old = await step('start a room composite with its deprecated output', () =>
  egress.startRoomCompositeEgress(call, file(`${prefix}-old.mp4`, s3()), 'grid', undefined, true));
const every = await step('start a room composite with every output', () =>
  egress.startRoomCompositeEgress(call, {
    file: file(`${prefix}-every.mp4`, s3()),
    segments: new lk.SegmentedFileOutput({ filenamePrefix: `${prefix}-seg`, playlistName: 'list.m3u8', livePlaylistName: 'live.m3u8', segmentDuration: 4, output: s3() }),
    images: new lk.ImageOutput({ captureInterval: 5, filenamePrefix: `${prefix}-image`, output: s3() }),
    stream: new lk.StreamOutput({ protocol: lk.StreamProtocol.RTMP, urls: ['rtmp://stream.example.com/live/stream-key-1'] }),
  }, { webhooks: [new lk.WebhookConfig({ url: 'https://consumer.example.com/hook', signingKey: key })] }));
const segments = await step('start segments alone', () =>
  egress.startRoomCompositeEgress(call, new lk.SegmentedFileOutput({ filenamePrefix: `${prefix}-only`, playlistName: 'only.m3u8' })));
const web = await step('start web', () => egress.startWebEgress('https://example.com/page', { file: file(`${prefix}-web.mp4`) }, { awaitStartSignal: true }));
const person = await step('start a participant', () => egress.startParticipantEgress(call, 'alice', { file: file('{publisher_identity}.mp4') }, { screenShare: true }));
const both = await step('start a track composite', () =>
  egress.startTrackCompositeEgress(call, { file: file(`${prefix}-tracks.mp4`) }, { audioTrackId: audio, videoTrackId: video, encodingOptions: new lk.EncodingOptions({ width: 640, height: 360 }) }));
const one = await step('start a track', () => egress.startTrackEgress(call, new lk.DirectFileOutput({ filepath: '{track_id}', output: s3() }), video));
const socket = await step('start a track to a websocket', () => egress.startTrackEgress(call, 'wss://example.com/socket', audio));
const unified = await step('start by the unified call', () =>
  egress.startEgress(new lk.StartEgressRequest({
    roomName: call,
    source: { case: 'template', value: new lk.TemplateSource({ layout: 'grid' }) },
    outputs: [new lk.Output({ config: { case: 'file', value: new lk.FileOutput({ filepath: `${prefix}-unified.mp4` }) }, storage: new lk.StorageConfig({ provider: s3() }) })],
  })));
const media = await step('start media by the unified call', () =>
  egress.startEgress(new lk.StartEgressRequest({
    roomName: call,
    source: { case: 'media', value: new lk.MediaSource({ video: { case: 'videoTrackId', value: video } }) },
    outputs: [new lk.Output({ config: { case: 'file', value: new lk.FileOutput({ filepath: `${prefix}-media.mp4` }) } })],
  })));
const all = { composite, old, every, segments, web, person, both, one, socket, unified, media };

// They record.
for (const [what, info] of Object.entries(all)) await until(`it is active: ${what}`, info?.egressId, lk.EgressStatus.EGRESS_ACTIVE);
await step('list all of the room', () => egress.listEgress({ roomName: call }));
await step('list by the deprecated argument', () => egress.listEgress(call));
await step('list the active ones of the room', () => egress.listEgress({ roomName: call, active: true }));
await step('list all that are active', () => egress.listEgress({ active: true }));
await step('list those of an unknown room', () => egress.listEgress({ roomName: `${prefix}-unknown` }));
await step('list an unknown ID', () => egress.listEgress({ egressId: 'EG_unknown' }));
await step('update the layout', () => egress.updateLayout(composite?.egressId, 'grid'));
await step('update the layout of an unknown egress', () => egress.updateLayout('EG_unknown', 'grid'));
await step('add a stream', () => egress.updateStream(every?.egressId, ['rtmp://stream.example.com/live/stream-key-2']));
await step('remove a stream', () => egress.updateStream(every?.egressId, [], ['rtmp://stream.example.com/live/stream-key-1']));
await step('update the streams of an unknown egress', () => egress.updateStream('EG_unknown', ['rtmp://stream.example.com/live/k']));

// They end: some by a stop, the others with their room.
const ended = [lk.EgressStatus.EGRESS_COMPLETE, lk.EgressStatus.EGRESS_FAILED, lk.EgressStatus.EGRESS_ABORTED, lk.EgressStatus.EGRESS_LIMIT_REACHED];
const stopped = { composite, every, web, person, unified };
for (const [what, info] of Object.entries(stopped)) await step(`stop: ${what}`, () => egress.stopEgress(info?.egressId));
for (const [what, info] of Object.entries(stopped)) await until(`it has ended: ${what}`, info?.egressId, ...ended);
await step('stop what has ended', () => egress.stopEgress(composite?.egressId));
await step('stop an unknown egress', () => egress.stopEgress('EG_unknown'));
await step('update the streams of what has ended', () => egress.updateStream(every?.egressId, ['rtmp://stream.example.com/live/k']));
const early = await step('start in an empty room', () => egress.startRoomCompositeEgress(`${prefix}-empty`, { file: file('never.mp4') }));
await step('stop before anybody came', () => egress.stopEgress(early?.egressId));
await until('it was aborted', early?.egressId, ...ended);
await step('delete the room', () => rooms.deleteRoom(call));
for (const [what, info] of Object.entries({ old, segments, both, one, socket, media })) await until(`it has ended with its room: ${what}`, info?.egressId, ...ended);
await step('list all of the room that was', () => egress.listEgress({ roomName: call }));
await step('delete the room again', () => rooms.deleteRoom(call));
await step('delete an empty room', () => rooms.deleteRoom(`${prefix}-empty`));

// What is refused.
await step('start in an unknown room', () => egress.startRoomCompositeEgress(`${prefix}-unknown`, { file: file('x.mp4') }));
await step('start a participant in an unknown room', () => egress.startParticipantEgress(`${prefix}-unknown`, 'alice', { file: file('x.mp4') }));
await step('start a track in an unknown room', () => egress.startTrackEgress(`${prefix}-unknown`, new lk.DirectFileOutput({ filepath: 'x' }), 'TR_x'));
await step('start without a room', () => egress.startRoomCompositeEgress('', { file: file('x.mp4') }));
await step('create a second room', () => rooms.createRoom({ name: `${prefix}-second` }));
await step('start a room composite without outputs', () => egress.startRoomCompositeEgress(`${prefix}-second`, {}));
await step('start web without outputs', () => egress.startWebEgress('https://example.com', {}));
await step('start by the unified call without outputs', () => egress.startEgress(new lk.StartEgressRequest({ roomName: `${prefix}-second` })));
for (const [who, k, s] of [['a wrong secret', key, 'another-secret-another-secret-32'], ['an unknown key', 'APIunknown', secret]]) {
  await step(`start with ${who}`, () => new lk.EgressClient(url, k, s).startRoomCompositeEgress(call, { file: file('x.mp4') }));
  await step(`list with ${who}`, () => new lk.EgressClient(url, k, s).listEgress());
  await step(`list rooms with ${who}`, () => new lk.RoomServiceClient(url, k, s).listRooms());
  await step(`delete a room with ${who}`, () => new lk.RoomServiceClient(url, k, s).deleteRoom(`${prefix}-second`));
}
for (const [who, grant] of [['who may only join', { roomJoin: true, room: call }], ['without a grant', {}]]) {
  const token = new lk.AccessToken(key, secret, { identity: 'guest' });
  token.addGrant(grant);
  const guest = { token: await token.toJwt() };
  await step(`start by somebody ${who}`, () => new lk.EgressClient(url, undefined, undefined, guest).startWebEgress('https://example.com', { file: file('x.mp4') }));
  await step(`stop by somebody ${who}`, () => new lk.EgressClient(url, undefined, undefined, guest).stopEgress('EG_unknown'));
  await step(`delete a room by somebody ${who}`, () => new lk.RoomServiceClient(url, undefined, undefined, guest).deleteRoom(`${prefix}-second`));
}

// What the front door adds: an agent that asks again with its key gets the recording that it has. LiveKit begins another.
class Keyed extends lk.EgressClient {
  async authHeader(...grants) {
    return { ...(await super.authHeader(...grants)), 'Idempotency-Key': `${prefix}-key` };
  }
}
const keyed = () => new Keyed(url, key, secret).startRoomCompositeEgress(`${prefix}-second`, { file: file('keyed.mp4') });
await step('start with a key', keyed);
await step('start again with the key', keyed);

// And what it refuses: LiveKit would begin a recording, and never send this webhook.
await step('start with a webhook that nobody can sign', () =>
  egress.startRoomCompositeEgress(`${prefix}-second`, { file: file('x.mp4') }, { webhooks: [new lk.WebhookConfig({ url: 'https://consumer.example.com', signingKey: 'nobody' })] }));

console.log(JSON.stringify(report, null, 1));
