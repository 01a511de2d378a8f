/** The microphone beside a shared screen is mixed into its sound, so that its end shows in no track: the page notices it all the same. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lossWords } from '../../src/console/record/loss-words';
import { Studio } from '../../src/console/studio';
import type { Recording, Safereel, SafereelEvent, TrackKind } from '../../src/recorder/types';
import { stillSafereel } from './gallery/fakes';
import { snapshotOf } from './views';

class FakeTrack extends EventTarget {
  readyState = 'live';

  constructor(readonly kind: TrackKind) {
    super();
  }

  stop(): void {
    this.readyState = 'ended';
  }

  pullOut(): void {
    this.stop();
    this.dispatchEvent(new Event('ended'));
  }
}

class FakeStream {
  constructor(readonly tracks: readonly FakeTrack[]) {}

  getTracks = () => this.tracks;
  getAudioTracks = () => this.tracks.filter(({ kind }) => kind === 'audio');
  getVideoTracks = () => this.tracks.filter(({ kind }) => kind === 'video');
}

/** What is connected to the mix at present. */
let mixed: FakeStream[];
let screen: FakeStream;
let microphones: FakeStream[];
let refusal: string | null;
let plugIn: () => void;

beforeEach(() => {
  mixed = [];
  microphones = [];
  refusal = null;
  screen = new FakeStream([new FakeTrack('video'), new FakeTrack('audio')]);
  vi.stubGlobal('document', new EventTarget());
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal(
    'AudioContext',
    class {
      close = async () => undefined;
      createMediaStreamDestination = () => ({ stream: new FakeStream([new FakeTrack('audio')]) });
      createMediaStreamSource = (stream: FakeStream) => ({
        connect: () => mixed.push(stream),
        disconnect: () => mixed.splice(mixed.indexOf(stream), 1),
      });
    },
  );
  vi.stubGlobal('navigator', {
    mediaDevices: {
      getDisplayMedia: async () => screen,
      getUserMedia: async () => {
        if (refusal) throw Object.assign(new Error('refused'), { name: refusal });
        const stream = new FakeStream([new FakeTrack('audio')]);
        microphones.push(stream);
        return stream;
      },
      enumerateDevices: async () => [],
      addEventListener: (_type: string, listener: () => void) => {
        plugIn = listener;
      },
    },
  });
});
afterEach(() => vi.unstubAllGlobals());

/** A screen with its microphone, being recorded. */
async function recordScreen() {
  const listeners: ((event: SafereelEvent) => void)[] = [];
  const stopped = vi.fn(async () => undefined);
  const safereel: Safereel = {
    ...stillSafereel(snapshotOf([])),
    subscribe: (listener) => {
      listeners.push(listener);
      return () => undefined;
    },
    record: async () => ({ id: 'r1', stop: stopped, continueWith: vi.fn() }) as unknown as Recording,
  };
  const studio = new Studio(safereel, {
    choice: { source: 'screen', cameraId: '', microphoneId: '', withMicrophone: true },
  });
  await studio.watchDevices();
  await studio.start();
  expect(studio.state.get().phase).toBe('recording');
  const told = (kind: TrackKind, left: TrackKind[]) => {
    for (const listener of listeners) listener({ type: 'source_ended', recordingId: 'r1', kind, left });
  };
  return { studio, stopped, told, loss: () => studio.state.get().loss };
}

test('its end is told, the screen goes on, and the next one goes into the same sound by itself', async () => {
  const { studio, stopped, loss } = await recordScreen();
  refusal = 'NotFoundError';
  microphones[0]?.tracks[0]?.pullOut();
  await vi.waitFor(() => expect(loss()).toMatchObject({ gone: ['audio'], left: ['video', 'audio'], isBack: false }));
  const said = lossWords(loss() as never);
  expect(said.heading).toBe('Microphone unplugged: the screen is recorded without it');
  expect(said.rest).toMatch(/until now is safe, and the picture and the screen’s own sound go on\. Plug in or choose/);
  expect([studio.state.get().phase, stopped.mock.calls.length]).toEqual(['recording', 0]);

  refusal = null;
  plugIn();
  await vi.waitFor(() => expect(loss()?.isBack).toBe(true));
  expect(mixed).toEqual([screen, microphones.at(-1)]);
  expect(lossWords(loss() as never).heading).toBe('Recording goes on with a microphone');
  studio.dismissLoss();
  expect(loss()).toBeNull();
  await studio.stop();
  expect(
    [...screen.tracks, ...microphones.flatMap(({ tracks }) => tracks)].every((t) => t.readyState === 'ended'),
  ).toBe(true);
});

test('why no other can be had is said without saying that nothing is recorded', async () => {
  const { loss } = await recordScreen();
  refusal = 'NotReadableError';
  microphones[0]?.tracks[0]?.pullOut();
  await vi.waitFor(() => expect(loss()?.problem?.code).toBe('device_busy'));
});

test('the end of the share ends the recording, that of its sound alone does not', async () => {
  const { studio, stopped, told, loss } = await recordScreen();
  told('audio', ['video']);
  expect(studio.state.get().phase).toBe('recording');
  expect(lossWords(loss() as never)).toMatchObject({ rest: expect.stringContaining('Everything until now is safe') });
  told('video', []);
  await vi.waitFor(() => expect(studio.state.get().phase).toBe('idle'));
  expect(stopped).toHaveBeenCalledOnce();
  expect(studio.state.get().problem?.detail).toMatch(/Everything until then is kept and being sent\./);
});
