import { useEffect, useRef, useState } from 'react';
import type { RecordingView } from '../recorder/types';

/** The time now, renewed every `everyMs` while `on`. */
export function useNow(everyMs: number, on = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!on) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, on]);
  return now;
}

/** No longer than this past what the recorder last told: a stopped recorder must not look as if it went on. */
const AHEAD_MS = 2_500;

/** The recorded time for a clock: counts on between two tellings, never back. */
export function useRecordedMs(view: RecordingView | undefined): number {
  const told = useRef({ id: '', durationMs: 0, at: 0, shown: 0 });
  const running = view?.state === 'recording';
  useNow(250, running);
  const now = performance.now();
  const one = told.current;
  if (view && one.id !== view.id) Object.assign(one, { id: view.id, durationMs: view.durationMs, at: now, shown: 0 });
  if (view && one.durationMs !== view.durationMs) Object.assign(one, { durationMs: view.durationMs, at: now });
  if (!view) return 0;
  const ahead = running ? Math.min(now - one.at, AHEAD_MS) : 0;
  one.shown = running ? Math.max(one.shown, view.durationMs + ahead) : view.durationMs;
  return one.shown;
}

/** `value`, once it has stayed true for `ms`; false at once. A state that passes by itself needs no notice. */
export function useLasting(value: boolean, ms: number): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!value) {
      setLasting(false);
      return;
    }
    const timer = setTimeout(() => setLasting(true), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return value && lasting;
}

/** Whether a media query holds at present. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = () => setHolds(list.matches);
    look();
    list.addEventListener('change', look);
    return () => list.removeEventListener('change', look);
  }, [query]);
  return holds;
}
