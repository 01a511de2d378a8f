import { expect, test } from 'vitest';
import type { BucketView } from '../../src/console/bucket-view';
import { type Glimpse, Glimpses, levelsIn } from '../../src/console/library/glimpses';

const BUCKET = {} as BucketView;
const SOUND: Glimpse = { kind: 'sound', levels: [1] };
const signal = () => new AbortController().signal;

function looks() {
  const asked: string[] = [];
  const answers = new Map<string, (seen: Glimpse | null | 'later') => void>();
  const glimpses = new Glimpses(BUCKET, (_bucket, id) => {
    asked.push(id);
    return new Promise((resolve) => answers.set(id, resolve));
  });
  return { asked, glimpses, answer: (id: string, seen: Glimpse | null | 'later') => answers.get(id)?.(seen) };
}

test('two are looked into at a time, and each once', async () => {
  const { asked, glimpses, answer } = looks();
  const all = ['a', 'b', 'c'].map((id) => glimpses.glimpse(id, 'audio/webm', signal()));
  await Promise.resolve();
  expect(asked).toEqual(['a', 'b']);
  answer('b', SOUND);
  await all[1];
  await expect.poll(() => asked).toEqual(['a', 'b', 'c']);
  answer('a', null);
  answer('c', SOUND);
  expect(await Promise.all(all)).toEqual([null, SOUND, SOUND]);
  expect(await glimpses.glimpse('a', 'audio/webm', signal())).toBeNull();
  expect(asked).toHaveLength(3);
});

test('what is not in the bucket yet is looked for again', async () => {
  const { asked, glimpses, answer } = looks();
  const first = glimpses.glimpse('a', 'audio/webm', signal());
  await expect.poll(() => asked).toEqual(['a']);
  answer('a', 'later');
  expect(await first).toBeNull();
  expect(glimpses.known('a')).toBeUndefined();
  void glimpses.glimpse('a', 'audio/webm', signal());
  await expect.poll(() => asked).toEqual(['a', 'a']);
});

test('who scrolled on is not waited for, and keeps nobody waiting', async () => {
  const { asked, glimpses, answer } = looks();
  const gone = new AbortController();
  void glimpses.glimpse('a', '', signal());
  void glimpses.glimpse('b', '', signal());
  const left = glimpses.glimpse('c', '', gone.signal);
  void glimpses.glimpse('d', '', signal());
  await expect.poll(() => asked).toEqual(['a', 'b']);
  gone.abort(new Error('scrolled on'));
  answer('a', null);
  await expect(left).rejects.toThrow('scrolled on');
  await expect.poll(() => asked).toEqual(['a', 'b', 'd']);
});

test('sound is as many bars as fit, silence the lowest', () => {
  const half = Float32Array.from({ length: 48_000 }, (_, at) => (at < 24_000 ? 0 : Math.sin(at / 10)));
  const levels = levelsIn(half, 4);
  expect(levels.slice(0, 2)).toEqual([0, 0]);
  expect(levels[2]).toBeGreaterThan(0.9);
  expect(levelsIn(new Float32Array(), 3)).toEqual([0, 0, 0]);
});
