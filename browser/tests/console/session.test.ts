import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Session } from '../../src/console/session';

let kept: Map<string, string>;

beforeEach(() => {
  kept = new Map();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal('fetch', async () => new Response(null, { status: 404 }));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a pasted token', () => {
  it('that names nobody is forgotten, so that a reload does not meet it again, and the reason is told', async () => {
    new Session('').paste('rubbish');
    const reloaded = new Session('');
    expect(await reloaded.tokenForRecorder()).toBe('rubbish');
    reloaded.namesNobody();
    expect([reloaded.state.get(), kept.size]).toEqual(['refused', 0]);
    expect(reloaded.reason).toContain('whose recordings');
    await expect(reloaded.token()).rejects.toThrow('Paste a token');
    expect(reloaded.state.get()).toBe('refused');
    await expect(new Session('').token()).rejects.toThrow('Paste a token');
  });

  it('that the server refuses is forgotten with the reason of the server, until another is pasted', () => {
    const session = new Session('');
    session.paste('old');
    session.refused('old', 'It has expired.');
    session.namesNobody();
    expect([session.state.get(), session.reason, kept.size]).toEqual(['refused', 'It has expired.', 0]);
    session.paste('new');
    expect([session.state.get(), session.reason]).toEqual(['signed_in', null]);
  });

  it('is not touched by the refusal of another', () => {
    const session = new Session('');
    session.paste('new');
    session.refused('old', 'It has expired.');
    expect([session.state.get(), session.held]).toEqual(['signed_in', 'new']);
  });
});

describe('nobody signed in', () => {
  it('stays signed out when the recorder knows no owner', async () => {
    const session = new Session('');
    await expect(session.token()).rejects.toThrow('Paste a token');
    session.namesNobody();
    expect(session.state.get()).toBe('signed_out');
  });
});
